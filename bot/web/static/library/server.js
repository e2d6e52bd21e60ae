// The server's side of the library.

import { posted, reach } from "../api.js";
import { events } from "../sse.js";

const pathOf = (id) => `/api/documents/${id.split("/").map(encodeURIComponent).join("/")}`;

/** The address of a document's original file. */
export const fileOf = (id) => `${pathOf(id)}/file`;

/** The files that fit, and what there is in all. Empty wishes are left out. */
export async function listed(wanted) {
  const given = Object.entries(wanted).filter(([, value]) => value !== null && value !== "" && value !== false);
  return (await reach(`/api/documents?${new URLSearchParams(given)}`)).json();
}

/** A document as it was read, around an offset. */
export const shown = async (id, at = 0) => (await reach(`${pathOf(id)}?at=${at}`)).json();

/** Takes a document out; the name by which it comes back. */
export const takeOut = async (id) => (await (await reach(pathOf(id), { method: "DELETE" })).json()).undo;

/** Brings a document back. */
export const putBack = (undo) => reach("/api/documents/restore", posted({ undo }));

/** Indexes what has changed: events as they come. */
export async function* index() {
  yield* events(await reach("/api/index", { method: "POST" }));
}

/** Sends a file, and says how much of it has gone: resolves with what became of it. */
export function send(file, name, collection, progress, signal) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append("collection", collection);
    form.append("files", file, name);
    const request = new XMLHttpRequest(); // fetch does not say how much of a body has gone
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(loaded / (total || 1)));
    request.addEventListener("load", () => resolve(outcome(request)));
    request.addEventListener("error", () => reject(new TypeError("network")));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", "/api/documents");
    request.send(form);
  });
}

/** What the server said of the one file, or what went wrong on the way to it. */
function outcome({ status, responseText }) {
  try {
    const said = JSON.parse(responseText);
    return said.error ? { code: said.error.code, reason: said.error.message } : said.files[0];
  } catch {
    return { code: String(status), reason: String(status) };
  }
}

/** What the journal keeps: "unanswered" or "disliked". */
export const journal = async (kind) => (await reach(`/api/journal/${kind}`)).json();

/** The answers that people wrote. */
export const answersWritten = async () => (await reach("/api/answers")).json();

/** Writes an answer, in the place of the one with an id if it has one. */
export const writeAnswer = (entry, id) =>
  reach(id ? `/api/answers/${id}` : "/api/answers", { ...posted(entry), method: id ? "PUT" : "POST" });

/** Takes an answer out. */
export const removeAnswer = (id) => reach(`/api/answers/${id}`, { method: "DELETE" });

/** The asked questions that a draft would answer. */
export const caught = async (questions) => (await (await reach("/api/answers/check", posted({ questions }))).json()).caught;
