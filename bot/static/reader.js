// The reading pane: the whole article, opened at the mark. Beside the answers on a wide window, over them on a narrow one.

import { source } from "./api.js";
import { $, element, paragraphs, say } from "./dom.js";
import { text } from "./i18n.js";

const SHOWN = 100_000; // characters before and after the passage: a book in one piece would stop the browser
const wide = matchMedia("(min-width: 70rem)");
let asked = 0; // the last article asked for: an earlier one that arrives late is not shown

/** The address of the page that shows a source by itself. */
export function address({ passage, spans }) {
  const mark = spans.slice(0, 10).map(({ start, end }) => `${start}-${end}`).join(",");
  return `/source/${encodeURIComponent(passage.id)}${mark ? `?mark=${mark}` : ""}#cited`;
}

/** Opens the article of a piece of evidence, scrolled to its mark. */
export async function read(evidence) {
  const mine = ++asked;
  const { passage } = evidence;
  $("reader-title").textContent = passage.title || passage.article;
  $("apart").href = address(evidence);
  $("to-mark").hidden = true;
  $("article").replaceChildren(say("p", "note", "waiting"));
  show();
  try {
    const found = await source(passage.id);
    if (mine === asked) fill(found, evidence.spans);
  } catch (error) {
    if (mine === asked) $("article").replaceChildren(element("p", "error", error.message));
  }
}

function show() {
  const reader = $("reader");
  if (reader.open) return;
  if (wide.matches && !("origins" in document.documentElement.dataset)) {
    document.body.classList.add("reading");
    reader.show();
  } else {
    reader.showModal();
  }
  $("article").focus();
}

function fill({ passage, article }, spans) {
  $("reader-title").textContent = article.title || article.id;
  const inArticle = spans.map(({ start, end }) => ({ start: start + passage.start, end: end + passage.start }));
  const points = Array.from(article.text);
  const from = Math.max(0, passage.start - SHOWN);
  const to = Math.min(points.length, passage.end + SHOWN);
  const lines = paragraphs(points, inArticle, from, to, (...line) => kind(passage, ...line));
  if (from > 0 || to < points.length) lines.unshift(say("p", "note", "cut"));
  $("article").replaceChildren(...lines);
  $("to-mark").hidden = false;
  toMark("instant");
}

/** The class of a line: those of the passage are set off; one that is the title or the heading stands as such. */
function kind(passage, start, end, line) {
  const cited = start < passage.end && end > passage.start;
  const head = line === passage.heading || line === passage.title;
  return [cited && "cited", head && "head"].filter(Boolean).join(" ");
}

function toMark(behavior) {
  const place = $("article").querySelector("mark") ?? $("article").querySelector(".cited");
  if (!place) return;
  const middle = place.getBoundingClientRect().top - $("article").getBoundingClientRect().top;
  $("article").scrollBy({ top: middle - $("article").clientHeight / 3, behavior });
}

/** Makes the pane close by its button and by Escape, and jump back to its mark. */
export function prepareReader() {
  const reader = $("reader");
  $("to-mark").addEventListener("click", () => toMark("auto"));
  reader.querySelector(".close").addEventListener("click", () => reader.close());
  reader.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    reader.close();
  });
  reader.addEventListener("close", () => {
    asked += 1;
    document.body.classList.remove("reading");
  });
  wide.addEventListener("change", () => reader.open && reader.close());
}

/** The title of a source: its article, then its heading. */
export function place({ passage }) {
  return [passage.title || passage.article, passage.heading].filter(isNamed).join(" › ") || text("reading");
}

const isNamed = (name) => typeof name === "string" && name !== "";
