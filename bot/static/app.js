// The page: one question box, a log of turns, a reading pane. Text only ever enters as text nodes.

import { events } from "./sse.js";

const TEXTS = {
  zh: {
    lang: "zh-CN", other: "English", label: "问题", placeholder: "问点什么,中文或英文", send: "提问", stop: "停止",
    purpose: "从文章里找到答案,并标出证据。没有就说没有。", open: "看原文", close: "关闭", retry: "重试",
    offline: "连不上服务,请确认它正在运行。", stopped: "已停止。", broken: "回答没有收完。", reading: "原文",
  },
  en: {
    lang: "en", other: "中文", label: "Question", placeholder: "Ask in Chinese or English", send: "Ask", stop: "Stop",
    purpose: "Finds the answer in the articles and marks the evidence. Says so when there is none.", open: "Open",
    close: "Close", retry: "Retry", offline: "The server cannot be reached: is it running?", stopped: "Stopped.",
    broken: "The answer broke off.", reading: "Article",
  },
};
const EXAMPLES = ["合肥为什么能成功?", "青岛的人工智能发展指数排在第几位?", "why did Hefei succeed"];

const $ = (id) => document.getElementById(id);
let language = remembered() ?? (navigator.language.startsWith("zh") ? "zh" : "en");
let running = null; // the AbortController of the answer that is streaming

function remembered() {
  try { return localStorage.getItem("language"); } catch { return null; } // storage may be forbidden
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function button(text, onClick) {
  const made = element("button", "", text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

// Spans count code points, as Python does; JavaScript's own indexes count UTF-16 units and would slip after an emoji.
function marked(text, spans) {
  const points = Array.from(text);
  const piece = document.createDocumentFragment();
  let position = 0;
  for (const { start, end } of spans) {
    piece.append(points.slice(position, start).join(""), element("mark", "", points.slice(start, end).join("")));
    position = end;
  }
  piece.append(points.slice(position).join(""));
  return piece;
}

function source(evidence) {
  const { passage } = evidence;
  const card = element("article", "source");
  const heading = element("h3");
  const place = [passage.title || passage.article, passage.heading].filter(Boolean).join(" › ");
  heading.append(element("span", "number", `[${evidence.number}]`), element("span", "", place));
  heading.append(button(TEXTS[language].open, () => read(evidence)));
  const body = element("p", "passage");
  body.lang = "zh-CN";
  body.append(marked(passage.text, evidence.spans));
  card.append(heading, body);
  return card;
}

async function read(evidence) {
  try {
    const response = await fetch(`/api/source/${encodeURIComponent(evidence.passage.id)}`);
    const found = await response.json();
    if (!response.ok) throw new Error(found.error.message);
    showArticle(found, evidence.spans);
  } catch (error) {
    const problem = error instanceof TypeError ? TEXTS[language].offline : error.message;
    $("reader-title").textContent = TEXTS[language].reading;
    $("article").replaceChildren(element("p", "error", problem));
    $("reader").showModal();
  }
}

function showArticle({ passage, article }, spans) {
  const points = Array.from(article.text);
  const cited = element("span", "cited");
  cited.append(marked(passage.text, spans));
  $("reader-title").textContent = article.title || article.id;
  $("article").replaceChildren(points.slice(0, passage.start).join(""), cited, points.slice(passage.end).join(""));
  $("reader").showModal();
  (cited.querySelector("mark") ?? cited).scrollIntoView({ block: "center" });
}

function addTurn(question) {
  $("welcome").hidden = true;
  const turn = element("section", "turn");
  const sources = element("div");
  const answer = element("p", "answer");
  turn.append(element("h2", "question", question), answer, sources);
  $("log").append(turn);
  turn.scrollIntoView({ block: "start" });
  return { turn, answer, sources };
}

async function ask(question) {
  const view = addTurn(question);
  running = new AbortController();
  $("send").textContent = TEXTS[language].stop;
  try {
    const response = await fetch("/api/chat", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ question }),
      signal: running.signal,
    });
    if (!response.ok) throw new Error((await response.json()).error.message);
    await stream(response, view);
  } catch (error) {
    fail(view, question, error);
  } finally {
    running = null;
    $("send").textContent = TEXTS[language].send;
    $("question").focus();
  }
}

function showSources(sources, evidence) {
  sources.replaceChildren(...evidence.map(source));
  for (const passage of sources.querySelectorAll(".passage")) {
    const mark = passage.querySelector("mark");
    if (mark) passage.scrollTop = mark.offsetTop - passage.clientHeight / 3; // the evidence is what is seen first
  }
}

async function stream(response, { turn, answer, sources }) {
  let complete = false;
  for await (const { name, data } of events(response)) {
    if (name === "sources") showSources(sources, data);
    else if (name === "delta") answer.append(data.text);
    else if (name === "error") throw new Error(data.message);
    else if (name === "done") {
      complete = true;
      turn.classList.toggle("refused", data.refused);
      const reasons = Object.values(data.degraded);
      if (reasons.length) answer.after(element("p", "note", reasons.join(" ")));
      $("status").textContent = data.text;
    }
  }
  if (!complete) throw new Error(TEXTS[language].broken);
}

function fail({ turn, sources }, question, error) {
  const texts = TEXTS[language];
  const stopped = error.name === "AbortError";
  const message = stopped ? texts.stopped : error instanceof TypeError ? texts.offline : error.message;
  const line = element("p", stopped ? "note" : "error", message);
  const again = button(texts.retry, () => {
    turn.remove();
    if (!running) ask(question);
  });
  sources.before(line, again);
  $("status").textContent = message;
}

function submit(event) {
  event.preventDefault();
  if (running) return running.abort();
  const question = $("question").value.trim();
  if (!question) return $("question").focus();
  $("question").value = "";
  return ask(question);
}

function speak() {
  const texts = TEXTS[language];
  document.documentElement.lang = texts.lang;
  $("language").textContent = texts.other;
  $("purpose").textContent = texts.purpose;
  $("send").textContent = running ? texts.stop : texts.send;
  $("close").textContent = texts.close;
  $("question").placeholder = texts.placeholder;
  for (const label of document.querySelectorAll("[data-text]")) label.textContent = texts[label.dataset.text];
}

$("ask").addEventListener("submit", submit);
$("question").addEventListener("keydown", (event) => {
  // Enter that confirms a composition must not send. Safari ends the composition first, but keeps key code 229.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  submit(event);
});
$("close").addEventListener("click", () => $("reader").close());
$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  try { localStorage.setItem("language", language); } catch { /* remembered for this visit only */ }
  speak();
});
$("examples").append(...EXAMPLES.map((question) => button(question, () => running || ask(question))));
speak();
