// An article from its blocks: headings, paragraphs, lists, tables, code. Offsets count code points.

import { element, marked, pageNumber, paragraphs } from "./dom.js";
import { addressOf, pictureOf } from "./picture.js";
import { text } from "./i18n.js";

/** The elements of an article in reading order, the spans marked, the passage set off. */
export function articleOf({ passage, article }, spans) {
  const points = Array.from(article.text);
  const shown = {
    tables: article.tables,
    marked: (start, end) => marked(points, spans, start, end),
    lines: (start, end, name) => paragraphs(points, spans, start, end, name),
    cited: ({ start, end }) => (start < passage.end && end > passage.start ? "cited" : ""),
  };
  const nodes = [];
  let open = null; // the list or the table that the next part may belong to
  let page = 0;
  for (const part of inOrder(article)) {
    if (part.page !== page) nodes.push(pageNumber("p", part.page));
    if (part.page !== page || part.group !== open?.group) open = null;
    page = part.page;
    if (!part.group) {
      nodes.push(...(part.picture ? [element("p", "", picture(part.picture))] : alone(part.block, shown)));
      continue;
    }
    if (!open) {
      open = { group: part.group, ...(part.group === "items" ? list() : table(part.block, shown)) };
      nodes.push(open.root);
    }
    if (part.picture) open.body.append(pictureRow(part, shown));
    else open.body.append(part.group === "items" ? item(part.block, shown) : row(part.block, shown));
  }
  return nodes;
}

/** Blocks and pictures, each with its page and what it stands in; a picture between two rows is a row. */
function inOrder({ blocks, pages, pictures }) {
  const parts = [];
  const waiting = [...pictures];
  for (const block of blocks) {
    const page = pageOf(pages, block.start);
    const group = block.kind === "item" ? "items" : block.cells ? `table ${block.table}` : "";
    // A picture has the offset of the next block, or the one after it where the block follows on the next line.
    while (waiting.length && waiting[0].at <= block.start + 1) {
      const inTable = block.cells && parts.at(-1)?.group === group && parts.at(-1).page === page;
      parts.push({ picture: waiting.shift(), page, group: inTable ? group : "", table: block.table });
    }
    parts.push({ block, page, group });
  }
  const page = parts.at(-1)?.page ?? 0;
  return [...parts, ...waiting.map((one) => ({ picture: one, page, group: "" }))];
}

/** Lets the tables and the code that are wider than the pane be scrolled by keyboard. */
export function letScroll(root) {
  for (const box of root.querySelectorAll(".scroll")) {
    if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) continue;
    box.tabIndex = 0;
    box.role = "region";
    box.dataset.label = box.firstChild.localName === "pre" ? "code" : "table";
    box.ariaLabel = text(box.dataset.label);
  }
}

/** A picture that opens by itself when it is clicked. */
function picture(kept) {
  const link = element("a", "", pictureOf(kept));
  link.href = addressOf(kept);
  link.target = "_blank";
  link.rel = "noopener";
  return link;
}

function pictureRow({ picture: kept, table: number }, { tables }) {
  const cell = element("td", "", picture(kept));
  cell.colSpan = tables[number].length || 1;
  return element("tr", "", cell);
}

/** The page of an offset, from 1; 0 in an article without pages. */
function pageOf(pages, offset) {
  const next = pages.findIndex((start) => start > offset);
  return next < 0 ? pages.length : next;
}

function alone(block, { marked, lines, cited }) {
  const { kind, start, end, level } = block;
  if (kind === "heading") return [element(`h${Math.min(6, 2 + (level || 1))}`, cited(block), ...marked(start, end))];
  if (kind === "code") return [scroll(element("pre", cited(block), ...marked(start, end)))];
  const name = kind === "paragraph" ? "" : `${kind} `;
  return lines(start, end, (from, to) => (name + cited({ start: from, end: to })).trim());
}

function list() {
  const root = element("ul", "items");
  root.role = "list"; // Safari takes the role away where no bullets are drawn
  return { root, body: root };
}

function item(block, { marked, cited }) {
  const depth = `depth${Math.min(6, block.level || 1)}`;
  return element("li", `${depth} ${cited(block)}`.trim(), ...marked(block.start, block.end));
}

function table({ table: number }, { tables }) {
  const body = element("tbody");
  const names = tables[number].map((name) => scoped("col", name));
  const root = element("table", "", ...(names.length ? [element("thead", "", element("tr", "", ...names))] : []), body);
  return { root: scroll(root), body };
}

/** A row, its cells in their columns; in a form the name of a cell stands before it. */
function row(block, { tables, marked, cited }) {
  const made = element("tr", cited(block));
  const width = tables[block.table].length;
  let column = 0;
  block.cells.forEach(([start, end], i) => {
    const [first, count] = block.columns[i];
    const name = !width && block.header?.[i];
    for (; column < first - (name ? 1 : 0); column += 1) made.append(element("td"));
    if (name) made.append(scoped("row", name));
    const cell = element("td", "", ...marked(start, end));
    cell.colSpan = count;
    made.append(cell);
    column = first + count;
  });
  for (; column < width; column += 1) made.append(element("td"));
  return made;
}

function scoped(scope, name) {
  const made = element(name ? "th" : "td", "", name);
  if (name) made.scope = scope;
  return made;
}

/** What may be wider than the pane scrolls by itself. */
function scroll(content) {
  return element("div", "scroll", content);
}
