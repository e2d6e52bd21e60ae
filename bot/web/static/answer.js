// One turn: the question, the short answer, the text as it arrives, its sources, and what can be done with it.

import { explain, rate } from "./api.js";
import { card } from "./card.js";
import { announce, button, element, say } from "./dom.js";
import { known, text } from "./i18n.js";
import { address, name, place, read } from "./reader.js";
import { once } from "./why.js";

const CITED = /\[(\d{1,2})\]/;

/** The view of a turn, asked of some folders. `root` is its element; the rest fills it as events arrive. */
export function turn(question, collections = null) {
  const answer = element("div", "answer", say("span", "searching", "searching"));
  const notes = element("div", "notes");
  const short = element("p", "short");
  short.hidden = true;
  const sources = element("div", "sources");
  const asked = element("h2", "question", question);
  if (collections?.length) asked.append(element("small", "", collections.join(" · ")));
  const root = element("section", "turn", asked, notes, short, answer, sources);
  root.ariaBusy = "true";
  let explained = once(() => explain(question, collections));
  let begun = false;
  let shown = "";

  function showSources(evidence) {
    if (JSON.stringify(evidence) === shown) return; // what the reader has opened stays open
    shown = JSON.stringify(evidence);
    const heading = say("h3", "", "sources");
    sources.replaceChildren(...(evidence.length ? [heading, ...evidence.map((one) => card(one, () => explained()))] : []));
    if (!begun && evidence.length) answer.replaceChildren(say("span", "searching", "found"));
  }

  function showShort(words) {
    if (typeof words !== "string" || !words) return;
    short.replaceChildren(element("strong", "", words));
    short.hidden = false;
    stress(words, sources);
  }

  function addText(piece) {
    if (!begun) answer.replaceChildren();
    begun = true;
    answer.append(piece);
  }

  /** The whole answer is the truth: it replaces what was streamed. */
  function finish(done, verdict = 0, onVerdict = () => {}) {
    root.ariaBusy = "false";
    begun = true;
    const understood = typeof done.standalone === "string" && done.standalone !== question ? done.standalone : "";
    if (understood) explained = once(() => explain(understood, collections));
    root.classList.toggle("refused", done.refused && done.mode !== "meta");
    answer.replaceChildren(...withCitations(done.text, sources));
    showSources(done.evidence);
    showShort(done.short);
    notes.replaceChildren(...remarks(done, understood));
    answer.after(actions(done, verdict, onVerdict));
    (done.refused ? answer : asked).after(notes);
    if (done.nearest?.length) notes.after(near(done.nearest));
  }

  /** What went wrong, with a way to try again; a stopped answer keeps what had arrived. */
  function fail(message, stopped, retry) {
    root.ariaBusy = "false";
    if (!begun) answer.replaceChildren();
    const line = element("p", stopped ? "note" : "error", message, " ", button("retry", retry));
    answer.after(line);
    announce(message);
  }

  return { root, showSources, showShort, addText, finish, fail };
}

/** Sets the words in bold where the mark of the first source holds them. */
function stress(words, sources) {
  for (const mark of sources.querySelectorAll(".source:first-of-type mark")) {
    const [before, ...after] = mark.textContent.split(words);
    if (!after.length) continue;
    mark.replaceChildren(before, element("strong", "", words), after.join(words));
    return;
  }
}

/** The text, its [1] as buttons that lead to the source. */
function withCitations(said, sources) {
  const nodes = [];
  for (const piece of said.split(/(\[\d{1,2}\])/)) {
    const number = CITED.exec(piece)?.[1];
    if (number) nodes.push(glued(nodes, cite(piece, number, sources)));
    else nodes.push(piece);
  }
  return nodes;
}

/** A citation together with the characters before it, so that it does not begin a line by itself. */
function glued(nodes, citation) {
  const points = Array.from(typeof nodes.at(-1) === "string" ? nodes.pop() : "");
  nodes.push(points.slice(0, -2).join(""));
  return element("span", "glued", points.slice(-2).join(""), citation);
}

function cite(piece, number, sources) {
  const made = element("button", "cite", piece);
  made.type = "button";
  made.addEventListener("click", () => {
    const target = sources.querySelector(`[data-number="${Number(number)}"]`);
    target?.scrollIntoView({ block: "center" });
    target?.focus({ preventScroll: true });
  });
  return made;
}

function remarks(done, understood) {
  const lines = [];
  if (understood) lines.push(element("p", "note", say("span", "", "understood"), element("bdi", "", understood)));
  if (known(`mode_${done.mode}`)) {
    const line = element("p", "note", say("span", "", `mode_${done.mode}`));
    if (done.mode === "curated" && typeof done.curated_source === "string") line.append(" · ", element("bdi", "", done.curated_source));
    lines.push(line);
  }
  if (done.refused && done.mode !== "meta") lines.push(say("p", "note", "declined"));
  const reasons = Object.values(done.degraded ?? {}).filter((reason) => typeof reason === "string");
  if (reasons.length) lines.push(element("p", "note", reasons.join(" ")));
  return lines;
}

/** The passages nearest to a question that none answers, each of which opens its article. */
function near(hits) {
  const list = element("ul", "nearest");
  for (const hit of hits) {
    const evidence = { ...hit, spans: [], page: hit.passage.page };
    const open = element("button", "", element("bdi", "", name(evidence)));
    open.type = "button";
    open.addEventListener("click", () => read(evidence));
    list.append(element("li", "", open));
  }
  return element("div", "near", say("p", "note", "nearest"), list);
}

function actions(done, verdict, onVerdict) {
  const said = element("span", "faint said");
  const row = element("div", "row actions");
  if (!done.refused) row.append(button("copy", () => copy(done, said)));
  if (done.id) row.append(...thumbs(done.id, verdict, onVerdict, said));
  row.append(said);
  return row;
}

function tell(said, key) {
  said.textContent = text(key);
  said.dataset.text = key;
  announce(text(key));
}

/** Two buttons of which one at most is pressed; pressing it again takes it back. */
function thumbs(id, verdict, onVerdict, said) {
  const made = [["good", 1], ["bad", -1]].map(([key, value]) => {
    const thumb = button(key, () => judge(verdict === value ? 0 : value), `thumb ${key}`);
    return [thumb, value];
  });
  function show() {
    for (const [thumb, value] of made) thumb.ariaPressed = String(verdict === value);
  }
  async function judge(chosen) {
    const before = verdict;
    verdict = chosen;
    show();
    try {
      await rate(id, chosen);
      onVerdict(chosen);
      if (chosen) tell(said, "thanks");
    } catch {
      verdict = before;
      show();
      tell(said, "unsent");
    }
  }
  show();
  return made.map(([thumb]) => thumb);
}

/** The whole answer in words: the short answer, where there is one, and the text. */
export const spoken = ({ short, text: said }) => [short, said].filter(Boolean).join("\n\n");

/** The answer, then each source: its name, the marked text, its address. */
export function citation(done) {
  const sources = done.evidence.map((one) => {
    const points = Array.from(one.passage.text);
    const quoted = one.spans.map(({ start, end }) => points.slice(start, end).join("")).join("……");
    return `[${one.number}] ${place(one)}\n「${quoted}」\n${location.origin}${address(one)}`;
  });
  return [spoken(done), ...sources].join("\n\n");
}

async function copy(done, said) {
  const whole = citation(done);
  try {
    await navigator.clipboard.writeText(whole);
    tell(said, "copied");
  } catch {
    tell(said, copyBySelection(whole) ? "copied" : "uncopied");
  }
}

/** The old way, for a page over plain HTTP. */
function copyBySelection(whole) {
  const field = element("textarea", "hidden");
  field.value = whole;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}
