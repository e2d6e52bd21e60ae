// Elements from text. A string becomes a text node and nothing else, so nothing that is said can act.

import { text } from "./i18n.js";

/** The element of an id. */
export const $ = (id) => document.getElementById(id);

/** A new element; its children are elements or texts. */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A new element that holds a text of the page, and follows the language. */
export function say(tag, className, key) {
  const made = element(tag, className, text(key));
  made.dataset.text = key;
  return made;
}

/** A new button with a text of the page. */
export function button(key, onClick, className = "") {
  const made = say("button", className, key);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** Characters `from` to `to` as a paragraph a line, the spans marked; `name` gives the class of a line by its place. */
export function paragraphs(points, spans, from, to, name = () => "") {
  const made = [];
  for (let start = from; start < to; ) {
    let end = points.indexOf("\n", start);
    if (end < 0 || end > to) end = to;
    const line = points.slice(start, end).join("").trim();
    if (line) made.push(element("p", name(start, end, line), ...marked(points, spans, start, end)));
    start = end + 1;
  }
  return made;
}

/** A new element that holds the number of a page, and follows the language. */
export function pageNumber(tag, number) {
  const made = say(tag, "page", "page");
  made.dataset.number = number;
  made.textContent = text("page", number);
  return made;
}

/** Says something to screen readers, once. */
export function announce(message) {
  $("status").textContent = message;
}

// Spans count code points, as Python does; JavaScript's own indexes count UTF-16 units and would slip after an emoji.
/** Characters `from` to `to` of a text as nodes, those of the spans marked. */
export function marked(points, spans, from, to) {
  const nodes = [];
  let position = from;
  for (const span of spans) {
    const start = Math.max(span.start, position);
    const end = Math.min(span.end, to);
    if (start >= end) continue;
    nodes.push(points.slice(position, start).join(""), element("mark", "", points.slice(start, end).join("")));
    position = end;
  }
  nodes.push(points.slice(position, to).join(""));
  return nodes;
}
