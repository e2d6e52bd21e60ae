// The server: questions as a stream of events, and what is fetched once.

import { events } from "./sse.js";
import { text } from "./i18n.js";

const TURNS = 10;
const MAX_HISTORY_BYTES = 40_000; // travels with each question; the server takes bodies of 1 MiB
const MAX_ANSWER = 1000; // characters of an earlier answer: enough to know what "it" was

/** The server cannot be reached at all. */
export class Unreachable extends Error {}

/** The response to a request. Throws with what is wrong in words. */
export async function reach(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(text("lost"));
  }
  if (!response.ok) throw new Error(await problem(response));
  return response;
}

/** What a failed response says: our own message, or that something in between failed. */
async function problem(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `${text("odd")} (${response.status})`;
  }
}

/** The options of a request that posts JSON. */
export function posted(body, signal) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal };
}

/** The last turns as a question carries them, the oldest left out while they are too long. */
export function history(turns) {
  const told = turns.slice(-TURNS).map(({ question, answer }) => {
    return { question, answer: Array.from(answer.text).slice(0, MAX_ANSWER).join("") };
  });
  while (new TextEncoder().encode(JSON.stringify(told)).length > MAX_HISTORY_BYTES) told.shift();
  return told;
}

/** The events of an answer from some folders, null for all. Throws when the stream ends before the answer does. */
export async function* chat(question, turns, collections, signal) {
  const response = await reach("/api/chat", posted({ question, history: history(turns), collections }, signal));
  let complete = false;
  try {
    for await (const event of events(response)) {
      complete ||= event.name === "done";
      yield event;
    }
  } catch (error) {
    if (error instanceof TypeError) throw new Error(text("broken")); // the connection broke
    throw error;
  }
  if (!complete) throw new Error(text("broken"));
}

/** The whole article around a passage. */
export const source = async (passage) => (await reach(`/api/source/${encodeURIComponent(passage)}`)).json();

/** Why passages stand where they do: /api/search, explained. */
export const explain = async (question, collections = null) =>
  (await reach("/api/search", posted({ question, k: 20, explain: true, collections }))).json();

/** Tells the server what the reader thinks of an answer: 1, -1, or 0 to take it back. */
export const rate = (answer, verdict) => reach("/api/feedback", posted({ answer, verdict }));

/** Whether the server answers. */
export const alive = () => reach("/livez", { cache: "no-store" }).then(() => true, () => false);

/** Questions that the articles of some folders answer; none when the server has none to give. */
export async function examples(collections) {
  const asked = new URLSearchParams((collections ?? []).map((name) => ["collections", name]));
  try {
    const given = (await (await reach(`/api/examples?${asked}`)).json()).examples;
    return given.filter((question) => typeof question === "string").slice(0, 4);
  } catch {
    return [];
  }
}

/** The folders that may be asked, each with its name; null when the server does not say. */
export async function collections() {
  try {
    return await (await reach("/api/collections")).json();
  } catch {
    return null;
  }
}
