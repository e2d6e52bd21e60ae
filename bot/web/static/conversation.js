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

/** Every conversation: {id, at, turns: [{question, answer, verdict, collections}]}, newest first. */
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

/** Keeps a conversation, as the newest one; the oldest make room. */
export function keep(one) {
  one.at = Date.now();
  const kept = [one, ...conversations().filter((other) => other.id !== one.id)].slice(0, KEPT);
  while (!remember("conversations", JSON.stringify(kept)) && kept.length > 1) kept.pop();
}

/** Forgets one conversation. */
export function forget(id) {
  remember("conversations", JSON.stringify(conversations().filter((one) => one.id !== id)));
}

/** Forgets them all. */
export const forgetAll = () => remember("conversations", "[]");
