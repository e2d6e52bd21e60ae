// 「为什么是这段」: the words that match, both ranks, the confidence against the threshold.

import { button, element, say } from "./dom.js";
import { text } from "./i18n.js";

/** A button, and what it unfolds, filled when it is first opened; `explained` gives the explanation of the question. */
export function why(evidence, explained) {
  const reasons = element("div", "reasons");
  reasons.hidden = true;
  let filled = false;
  const toggle = button("why", async () => {
    reasons.hidden = !reasons.hidden;
    toggle.ariaExpanded = String(!reasons.hidden);
    if (reasons.hidden || filled) return;
    reasons.replaceChildren(say("p", "note", "waiting"));
    try {
      reasons.replaceChildren(table(evidence, await explained()));
      filled = true;
    } catch (error) {
      reasons.replaceChildren(element("p", "error", error.message));
    }
  }, "why");
  toggle.ariaExpanded = "false";
  return { toggle, reasons };
}

function table(evidence, explanation) {
  const hit = explanation.hits.find((one) => one.passage.id === evidence.passage.id) ?? evidence;
  const list = element("dl");
  row(list, "matched", words(hit.matches ?? []));
  if (hit.missing?.length) row(list, "missing", element("span", "words", ...hit.missing.map((one) => element("span", "word lacking", one))));
  row(list, "words", leg(hit.rank_lexical, hit.lexical, 2));
  row(list, "meaning", leg(hit.rank_dense, hit.dense, 3));
  row(list, "confidence", confidence(explanation));
  return list;
}

function row(list, key, ...shown) {
  const value = element("dd", "");
  value.append(...shown);
  list.append(say("dt", "", key), value);
}

/** Each matched word, with the one that stands for it in the passage, and where. */
function words(matches) {
  if (!matches.length) return say("span", "faint", "none");
  return element("span", "words", ...matches.map(({ source, alternative, fields }) => {
    const name = source === alternative ? source : `${source} → ${alternative}`;
    const where = element("small", "");
    fields.forEach((field, i) => where.append(i ? "·" : " ", say("span", "", field)));
    return element("span", "word", name, where);
  }));
}

function leg(rank, score, digits) {
  if (!rank) return say("span", "faint", "unranked");
  return element("span", "", say("span", "", "rank"), ` ${rank} · `, say("span", "", "points"), ` ${score.toFixed(digits)}`);
}

/** A bar with the threshold drawn across it, and the same in figures. */
function confidence({ confidence: value, threshold }) {
  const bar = element("span", "gauge", element("span", "level"), element("span", "limit"));
  bar.ariaHidden = "true";
  bar.style.setProperty("--value", value);
  bar.style.setProperty("--limit", threshold);
  const sign = value < threshold ? "<" : "≥";
  return element("span", "", bar, `${value.toFixed(2)} ${sign} `, say("span", "", "threshold"), ` ${threshold.toFixed(2)}`);
}

/** A function that asks once and gives everybody that answer; a failure is asked again. */
export function once(ask) {
  let promise = null;
  return () => (promise ??= ask().catch((error) => {
    promise = null;
    throw error.message ? error : new Error(text("offline"));
  }));
}
