// A document as it was read, beside its original: its blocks, its passages, what was left out.

import { closedByBack } from "../back.js";
import { articleOf, letScroll } from "../blocks.js";
import { $, element, say } from "../dom.js";
import { half, text } from "../i18n.js";
import { fileOf, shown } from "./server.js";

const SHOWN = ["pdf", "png", "jpg", "jpeg", "gif", "webp"]; // what a browser shows by itself
const TABS = ["as-read", "passages", "left-out"];
let opened = () => {};
let asked = 0; // the last document asked for: an earlier one that arrives late is not shown

/** Opens a document. */
export async function openDocument(entry) {
  const mine = ++asked;
  $("document-title").textContent = entry.title;
  $("document-path").textContent = entry.id;
  $("document-file").href = fileOf(entry.id);
  $("document-file").hidden = entry.state !== "indexed";
  showOriginal(entry, 0);
  tab("as-read");
  $("as-read").replaceChildren(say("p", "note", "waiting"));
  $("document").showModal();
  opened();
  if (entry.state !== "indexed") {
    const why = [entry.code, half(entry.reason), entry.cure && `→ ${half(entry.cure)}`].filter(Boolean).join(" ");
    $("as-read").replaceChildren(why ? element("p", "error", why) : say("p", "note", "notIndexed"));
    fill("passages", []);
    fill("left-out", []);
    return;
  }
  try {
    const found = await shown(entry.id);
    if (mine === asked) show(entry, found);
  } catch (error) {
    if (mine === asked) $("as-read").replaceChildren(element("p", "error", error.message));
  }
}

function show(entry, { article, passages = [], left_out: leftOut = [] }) {
  const whole = { blocks: [], pages: [], pictures: [], tables: {}, ...article };
  const nodes = articleOf({ passage: { start: 0, end: 0 }, article: whole }, []);
  if (!whole.whole) nodes.unshift(say("p", "note", "part"));
  if (entry.warning) nodes.unshift(element("p", "error", half(entry.warning)));
  $("as-read").replaceChildren(...nodes);
  letScroll($("as-read"));
  for (const page of $("as-read").querySelectorAll(".page")) {
    if (entry.kind !== "pdf") break;
    const link = element("button", "", page.textContent);
    link.type = "button";
    link.addEventListener("click", () => showOriginal(entry, Number(page.dataset.number)));
    page.removeAttribute("data-text");
    page.replaceChildren(link);
  }
  fill("passages", passages.map((one) => {
    const heading = [one.heading, one.page ? text("page", one.page) : ""].filter(Boolean).join(" · ");
    return element("article", "source", element("h4", "place", element("bdi", "", heading)), element("p", "passage", one.text));
  }));
  fill("left-out", leftOut.map(({ reason, letters, texts }) => {
    const list = element("ul", "", ...texts.map((one) => element("li", "", one)));
    return element("section", "", element("h4", "", `${half(reason)} · ${text("letters", letters)}`), list);
  }), "nothingLeftOut");
}

function fill(name, nodes, empty = "nothingFound") {
  $(name).replaceChildren(...(nodes.length ? nodes : [say("p", "note", empty)]));
  $(`tab-${name}`).querySelector("small").textContent = nodes.length;
}

/** The original beside it where a browser shows such a file, a PDF at a page. */
function showOriginal({ id, kind, state }, page) {
  const beside = state === "indexed" && SHOWN.includes(kind);
  $("beside").hidden = !beside;
  if (!beside) return;
  const frame = element("iframe");
  frame.title = text("file");
  frame.src = fileOf(id) + (kind === "pdf" ? `#page=${page || 1}&navpanes=0` : "");
  $("beside").replaceChildren(frame); // a new frame: an address that differs in its page only would not be loaded anew
}

function tab(name) {
  for (const one of TABS) {
    $(one).hidden = one !== name;
    $(`tab-${one}`).ariaSelected = String(one === name);
    $(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
}

/** Makes the dialog close, and its tabs work by mouse and arrow keys. */
export function prepareDocument() {
  const dialog = $("document");
  opened = closedByBack(dialog);
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    asked += 1;
    $("beside").replaceChildren();
  });
  TABS.forEach((name, i) => {
    $(`tab-${name}`).addEventListener("click", () => tab(name));
    $(`tab-${name}`).addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!step) return;
      const next = TABS[(i + step + TABS.length) % TABS.length];
      tab(next);
      $(`tab-${next}`).focus();
    });
  });
}
