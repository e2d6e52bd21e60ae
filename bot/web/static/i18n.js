// Every text of the page, in both languages. An element names its text by data-text, its label by data-label.

import { recall, remember } from "./memory.js";

const TEXTS = {
  zh: {
    lang: "zh-CN", other: "English", label: "问题", placeholder: "问点什么,中文或英文", send: "提问", stop: "停止",
    skip: "跳到提问框", tools: "工具", log: "问答", history: "对话", fresh: "新对话", forget: "全部删除",
    sure: "确定全部删除?", remove: "删除", empty: "还没有对话。", rename: "改名", export: "导出", look: "找对话", noneLike: "没有这样的对话。",
    tooLong: "超过 2000 字的部分不会被读到：已写 {} 字。", close: "关闭", retry: "重试",
    kept: "对话只保存在这个浏览器里。", unkept: "浏览器不让保存,关掉页面对话就没有了。",
    purpose: "从文章里找到答案,标出证明它的那一句。文章里没有,就说没有。", try: "试试问",
    searching: "正在文章里找…", found: "找到段落,正在作答…", sources: "出处", source: "出处",
    open: "读原文", why: "为什么是这段", understood: "理解为:", copy: "复制答案和出处", copied: "已复制",
    uncopied: "浏览器不让复制。", good: "有用", bad: "没用", thanks: "谢谢,记下了。", unsent: "反馈没有送到。",
    toMark: "回到标记", apart: "新窗口", reading: "原文", cut: "文章很长,这里只显示标记前后的部分。",
    page: "第 {} 页", table: "表格", code: "代码", original: "打开原文", picture: "图",
    matched: "对上的词", missing: "没对上的词", words: "字词检索", meaning: "语义检索", unranked: "未进候选",
    rank: "名次", points: "分", confidence: "置信度", threshold: "阈值", none: "无",
    body: "正文", title: "标题", heading: "小标题",
    offline: "连不上服务,请确认它正在运行。", lost: "没有送到。", back: "已重新连上。", stopped: "已停止。",
    broken: "回答没有收完。", odd: "服务器出错了", waiting: "正在读取…",
    mode_llm: "由语言模型根据下列出处组织文字", mode_passages_only: "语言模型没有用上,直接给出原文",
    mode_curated: "人工审定的回答", mode_summary: "自动摘要:都是原文里的句子",
    mode_lexical_only: "只用了字词检索", mode_stale_generation: "用的是上一版索引",
    theme_auto: "明暗随系统", theme_light: "亮色", theme_dark: "暗色", declined: "可以换个说法,或者问得更具体。",
    nearest: "最接近的段落:",
    manual: "使用手册", library: "资料", nothing: "还没有资料。", putIn: "去放一些", scope: "只问这些文件夹",
  },
  en: {
    lang: "en", other: "中文", label: "Question", placeholder: "Ask in Chinese or English", send: "Ask", stop: "Stop",
    skip: "Skip to the question", tools: "Tools", log: "Questions and answers", history: "History",
    fresh: "New", forget: "Delete all", sure: "Really delete all?", remove: "Delete", empty: "No conversations yet.", rename: "Rename", export: "Export", look: "Find conversations", noneLike: "No such conversation.",
    tooLong: "At most 2,000 characters can be asked: these are {}.",
    close: "Close", retry: "Retry", kept: "Conversations are kept in this browser only.",
    unkept: "This browser keeps nothing: conversations end with the page.",
    purpose: "Finds the answer in the articles and marks the sentence that proves it. Says so when there is none.",
    try: "Try", searching: "Searching the articles…", found: "Passages found, answering…", sources: "Sources",
    source: "Source", open: "Read", why: "Why this passage", understood: "Understood as: ",
    copy: "Copy with sources", copied: "Copied", uncopied: "The browser does not let the page copy.",
    good: "Helpful", bad: "Not helpful", thanks: "Thank you, noted.", unsent: "The feedback did not arrive.",
    toMark: "To the mark", apart: "New window", reading: "Article",
    cut: "A long article: only what is around the mark is shown.",
    page: "page {}", table: "Table", code: "Code", original: "Open original", picture: "Picture",
    matched: "Matched words", missing: "Words not found", words: "By words", meaning: "By meaning",
    unranked: "not among the candidates", rank: "rank", points: "score", confidence: "Confidence",
    threshold: "threshold", none: "none", body: "text", title: "title", heading: "heading",
    offline: "The server cannot be reached: is it running?", lost: "It did not arrive.",
    back: "Connected again.", stopped: "Stopped.",
    broken: "The answer broke off.", odd: "The server failed", waiting: "Loading…",
    mode_llm: "Worded by a language model from the sources below",
    mode_passages_only: "The language model was not available: the passage itself answers",
    mode_curated: "An answer approved by a person", mode_summary: "A summary made of the document's own sentences",
    mode_lexical_only: "Found by words alone",
    mode_stale_generation: "Answered from the previous index",
    theme_auto: "Theme: system", theme_light: "Theme: light", theme_dark: "Theme: dark",
    declined: "Try other words, or a more precise question.", nearest: "The nearest passages:", manual: "Manual", library: "Documents",
    nothing: "There are no documents yet.", putIn: "Put some in",
    scope: "Ask only these folders",
  },
};

let language = recall("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
if (!(language in TEXTS)) language = "zh";

/** The text of a key in the language of the page, with its number, or an empty one. */
export const text = (key, number = "") => (TEXTS[language][key] ?? "").replace("{}", number);

/** Of what the server says in both languages, 中文 / English, the half in the language of the page. */
export function half(said) {
  const [chinese, ...english] = said.split(" / ");
  return language === "zh" || !english.length ? chinese : english.join(" / ");
}

/** Whether there is a text of that key. */
export const known = (key) => key in TEXTS.zh;

/** Adds the texts of another page. */
export function extend(more) {
  for (const [name, texts] of Object.entries(more)) Object.assign(TEXTS[name], texts);
}

/** Writes every text anew. */
export function speak() {
  document.documentElement.lang = text("lang");
  for (const said of document.querySelectorAll("[data-text]")) {
    said.textContent = text(said.dataset.text, said.dataset.number);
  }
  for (const named of document.querySelectorAll("[data-label]")) named.ariaLabel = text(named.dataset.label);
  for (const box of document.querySelectorAll("[data-hint]")) box.placeholder = text(box.dataset.hint);
  const manual = document.getElementById("manual");
  if (manual) manual.href = `/guide/${language}/`;
}

/** Speaks the named language, or the other one when none is named. */
export function use(name = language === "zh" ? "en" : "zh", keep = true) {
  if (!(name in TEXTS)) return;
  language = name;
  if (keep) remember("language", name);
  speak();
}
