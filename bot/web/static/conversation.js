// Conversations, kept in the browser: newest first, damaged ones passed over.

import { recall, remember } from "./memory.js";

const KEPT = 50;

const isText = (value) => typeof value === "string";
const isSpan = (span) => Number.isInteger(span?.start) && Number.isInteger(span?.end);
const isEvidence = ({ passage, spans, number } = {}) =>
  isText(passage?.id) && isText(passage.text) && Number.isInteger(number) && Array.isArray(spans) && spans.every(isSpan);
const isTurn = (turn) =>
  isText(turn?.question) && isText(turn.answer?.text) && Array.isArray(turn.answer.evidence) &&
  turn.answer.evidence.every((one) => one && isEvidence(one)) &&
  (!turn.collections || (Array.isArray(turn.collections) && turn.collections.every(isText)));
const isConversation = (one) =>
  isText(one?.id) && Number.isFinite(one.at) && Array.isArray(one.turns) && one.turns.length > 0 && one.turns.every(isTurn);

/** Every conversation: {id, at, name, turns: [{at, question, answer, verdict, collections}]}, newest first. */
export function conversations() {
  try {
    const kept = JSON.parse(recall("conversations") ?? "[]");
    return Array.isArray(kept) ? kept.filter(isConversation) : [];
  } catch {
    return [];
  }
}

/** The conversation of an id, or undefined. */
export const conversation = (id) => conversations().find((one) => one.id === id);

/** A conversation that has not begun. */
export const blank = () => ({ id: `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`, at: 0, turns: [] });

/** What a conversation is called: the name that it was given, or its first question. */
export const nameOf = ({ name, turns }) => (isText(name) && name.trim() ? name : turns[0].question);

/** Keeps a conversation, as the newest one; the oldest make room. What another tab added to it stays. */
export function keep(one) {
  one.at = Date.now();
  const others = conversation(one.id)?.turns.filter((turn) => !one.turns.some((mine) => same(mine, turn))) ?? [];
  one.turns.push(...others);
  one.turns.sort((a, b) => (a.at ?? 0) - (b.at ?? 0));
  const kept = [one, ...conversations().filter((other) => other.id !== one.id)].slice(0, KEPT);
  while (!remember("conversations", JSON.stringify(kept)) && kept.length > 1) kept.pop();
}

const same = (a, b) => a.at === b.at && a.question === b.question;

/** Gives a conversation a name; an empty one takes it back. */
export function rename(id, name) {
  remember("conversations", JSON.stringify(conversations().map((one) => (one.id === id ? { ...one, name } : one))));
}

/** Forgets one conversation. */
export function forget(id) {
  remember("conversations", JSON.stringify(conversations().filter((one) => one.id !== id)));
}

/** Forgets them all. */
export const forgetAll = () => remember("conversations", "[]");

/** The conversations in which every word stands: in its name, a question or an answer. */
export function matching(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return conversations().filter((one) => {
    const said = [nameOf(one), ...one.turns.flatMap(({ question, answer }) => [question, answer.text])].join("\n").toLowerCase();
    return wanted.every((word) => said.includes(word));
  });
}

/** A conversation as Markdown, each answer with its sources. */
export function markdown(one) {
  const parts = [`# ${oneLine(nameOf(one))}`];
  for (const { question, answer } of one.turns) {
    parts.push(`## ${oneLine(question)}`, ...(answer.short ? [`**${oneLine(answer.short)}**`] : []), answer.text);
    const sources = answer.evidence.map(({ number, page, passage }) => {
      const place = [passage.title || passage.article, passage.heading].filter(Boolean).join(" › ");
      return `${number}. ${oneLine(place)}${page ? ` · p. ${page}` : ""} (${passage.article})`;
    });
    if (sources.length) parts.push(sources.join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

const oneLine = (said) => said.replace(/\s+/g, " ").trim();
