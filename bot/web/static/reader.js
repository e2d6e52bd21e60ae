// The reading pane: the whole article, opened at the mark. Beside the answers on a wide window, over them on a narrow one.

import { source } from "./api.js";
import { closedByBack } from "./back.js";
import { articleOf, letScroll } from "./blocks.js";
import { $, element, pageNumber, say } from "./dom.js";
import { text } from "./i18n.js";

const wide = matchMedia("(min-width: 70rem)");
let opened = () => {};
let asked = 0; // the last article asked for: an earlier one that arrives late is not shown

/** The address of the page that shows a source by itself. */
export function address({ passage, spans }) {
  const mark = spans.slice(0, 10).map(({ start, end }) => `${start}-${end}`).join(",");
  return `/source/${encodeURIComponent(passage.id)}${mark ? `?mark=${mark}` : ""}#cited`;
}

/** The address of the original file, a PDF's with the page at which it opens. */
export function original({ passage, page }) {
  const place = page && passage.article.toLowerCase().endsWith(".pdf") ? `#page=${page}` : "";
  return `/source/${encodeURIComponent(passage.id)}/file${place}`;
}

/** Opens the article of a piece of evidence, scrolled to its mark. */
export async function read(evidence) {
  const mine = ++asked;
  const { passage } = evidence;
  $("reader-title").textContent = passage.title || passage.article;
  $("reader-page").replaceChildren(...(evidence.page ? [pageNumber("span", evidence.page)] : []));
  $("apart").href = address(evidence);
  $("original").href = original(evidence);
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
  opened();
  $("article").focus();
}

function fill(found, spans) {
  const { passage, article } = found;
  $("reader-title").textContent = article.title || article.id;
  const inArticle = spans.map(({ start, end }) => ({ start: start + passage.start, end: end + passage.start }));
  const nodes = articleOf(found, inArticle);
  if (!article.whole) nodes.unshift(say("p", "note", "cut"));
  $("article").replaceChildren(...nodes);
  letScroll($("article"));
  $("to-mark").hidden = false;
  toMark("instant");
}

function toMark(behavior) {
  const place = $("article").querySelector("mark") ?? $("article").querySelector(".cited");
  if (!place) return;
  const table = place.closest(".scroll");
  if (table) bring(place, table, 1 / 3, "instant");
  // A table is brought in whole, with the names of its columns.
  bring(table ?? place, $("article"), table ? (1 - table.clientHeight / $("article").clientHeight) / 2 : 1 / 3, behavior);
}

/** Scrolls a box so that a place in it stands at a share of its height, and no further right than a third of it. */
function bring(place, box, share, behavior) {
  const [there, here] = [place.getBoundingClientRect(), box.getBoundingClientRect()];
  const [top, left] = [there.top - here.top - box.clientHeight * share, there.left - here.left - box.clientWidth / 3];
  box.scrollBy({ top, left, behavior });
}

/** Makes the pane close by its button and by Escape, and jump back to its mark. */
export function prepareReader() {
  const reader = $("reader");
  opened = closedByBack(reader);
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
export function name({ passage }) {
  return [passage.title || passage.article, passage.heading].filter(isNamed).join(" › ") || text("reading");
}

/** Where a source stands: its title and its page. */
export const place = (evidence) => name(evidence) + (evidence.page ? ` · ${text("page", evidence.page)}` : "");

const isNamed = (name) => typeof name === "string" && name !== "";
