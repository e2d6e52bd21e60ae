// A source: where it stands, what is around its mark, why it is here.

import { button, element, pageNumber, paragraphs } from "./dom.js";
import { pictureOf } from "./picture.js";
import { name, read } from "./reader.js";
import { why } from "./why.js";

const AROUND = 130; // characters shown before and after the marks
const SPARED = 80; // a passage is not cut for fewer than these
const ENDS = /[。!?;\uff01\uff1f\uff1b\n]/;

/** The card of a piece of evidence. */
export function card(evidence, explained) {
  const place = element("h4", "place", element("span", "number", `[${evidence.number}]`), element("bdi", "", name(evidence)));
  if (evidence.page) place.append(pageNumber("span", evidence.page));
  const open = button("open", () => read(evidence), "open");
  open.setAttribute("aria-describedby", place.id = `source-${crypto.getRandomValues(new Uint32Array(1))[0]}`);
  const made = element("article", "source", place, excerpt(evidence));
  const { toggle, reasons } = why(evidence, explained);
  if (evidence.pictures?.length) made.append(element("div", "pictures", ...evidence.pictures.map(pictureOf)));
  made.append(element("div", "row", open, toggle), reasons);
  made.tabIndex = -1;
  made.dataset.number = evidence.number;
  return made;
}

/** The characters around the marks, begun after the end of a sentence where one is near. */
function excerpt({ passage, spans }) {
  const points = Array.from(passage.text);
  let [from, to] = [0, points.length];
  if (spans.length && points.length > 2 * AROUND + SPARED) {
    const first = spans[0].start;
    from = Math.max(0, first - AROUND);
    if (from > 0) {
      const end = points.findIndex((point, i) => i >= from && i < first && ENDS.test(point));
      if (end >= 0) from = end + 1;
    }
    to = Math.min(points.length, spans.at(-1).end + AROUND);
    while (from < first && /\s/.test(points[from])) from += 1;
  }
  const lines = paragraphs(points, spans, from, to);
  if (from) lines[0]?.prepend("…");
  if (to < points.length) lines.at(-1)?.append("…");
  const shown = element("blockquote", "passage", ...lines);
  shown.lang = "zh-CN";
  return shown;
}
