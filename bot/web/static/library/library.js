// The library: a table of the documents, a place to drop files, a run of the index, a search to try.

import { explain } from "../api.js";
import { card } from "../card.js";
import { $, announce, button, element, say } from "../dom.js";
import { extend, half, speak, text, use } from "../i18n.js";
import { prepareReader } from "../reader.js";
import { prepareTheme } from "../theme.js";
import { openDocument, prepareDocument } from "./document.js";
import { prepareQuestions, showQuestions } from "./questions.js";
import { index, listed, putBack, takeOut } from "./server.js";
import { TEXTS } from "./texts.js";
import { prepareUploads } from "./uploads.js";

const PAGE = 100;
const TYPING_MS = 200; // a pause in typing after which it is searched
const LOOK_MS = 2000; // how often it is looked while something waits to be indexed
const STATES = { indexed: "indexed", waiting: "queued", indexing: "indexing", skipped: "skipped" };

const VIEWS = ["documents", "questions"];

const wanted = { q: "", collection: null, state: null, since: "", until: "", sort: "id", descending: false, limit: PAGE };
let asked = 0;
let looking = 0;
let running = false;
let again = false; // something changed while a run was under way

async function look() {
  const mine = ++asked;
  clearTimeout(looking);
  try {
    const found = await listed(wanted);
    if (mine !== asked) return;
    $("problem").hidden = true;
    show(found);
    const unsettled = found.indexing || found.states.waiting || found.states.indexing;
    if (unsettled) looking = setTimeout(look, LOOK_MS);
  } catch (error) {
    if (mine !== asked) return;
    $("problem").textContent = error.message;
    $("problem").hidden = false;
    looking = setTimeout(look, LOOK_MS);
  }
}

function show({ documents, total, states, collections, may_change: mayChange }) {
  document.body.classList.toggle("may-not", !mayChange);
  $("may-not").hidden = mayChange;
  const all = Object.values(states).reduce((sum, count) => sum + count, 0);
  write($("sum"), "sum", all);
  choices($("state"), Object.entries(states).map(([name, count]) => [name, text(STATES[name]), count]), wanted.state);
  choices($("collection"), Object.entries(collections).map(([name, count]) => [name, name || text("top"), count]), wanted.collection);
  $("collections").replaceChildren(...Object.keys(collections).filter(Boolean).map((name) => new Option(name)));
  $("filters").hidden = $("table").hidden = !all;
  const focused = document.activeElement?.closest("#rows tr")?.dataset.id;
  const inRow = document.activeElement?.className;
  $("rows").replaceChildren(...documents.map(row));
  if (focused) find(focused)?.querySelector(inRow ? `.${inRow.split(" ")[0]}` : "button")?.focus();
  $("none").hidden = documents.length > 0;
  write($("none"), all ? "none_fit" : "none_yet");
  $("more").hidden = total <= documents.length;
  write($("more"), "more", total - documents.length);
}

const find = (id) => [...$("rows").children].find((one) => one.dataset.id === id);

/** Writes a text of the page into an element, so that it follows the language. */
function write(made, key, number = "") {
  made.dataset.text = key;
  made.dataset.number = number;
  made.textContent = text(key, number);
}

/** The options of a filter; the one that was chosen stays, even if nothing is left of it. */
function choices(select, options, chosen) {
  const made = options.map(([value, name, count]) => new Option(`${name} (${count})`, `=${value}`));
  if (chosen !== null && !options.some(([value]) => value === chosen)) made.push(new Option(chosen || text("top"), `=${chosen}`));
  select.replaceChildren(new Option(text("all"), ""), ...made);
  select.value = chosen === null ? "" : `=${chosen}`;
}

function row(entry) {
  const open = element("button", "open", element("bdi", "", entry.title));
  open.type = "button";
  open.addEventListener("click", () => openDocument(entry));
  const remove = button("remove", () => removed(entry), "remove");
  remove.setAttribute("aria-label", `${text("remove")} ${entry.title}`);
  const made = element(
    "tr", "",
    cell("column_title", open, element("small", "path", element("bdi", "", entry.id))),
    cell("column_kind", entry.kind),
    cell("column_bytes", size(entry.bytes)),
    cell("column_passages", entry.passages ? String(entry.passages) : ""),
    cell("column_state", ...stateOf(entry)),
    cell("column_date", entry.date || "", when(entry.changed)),
    cell("column_actions", remove),
  );
  made.dataset.id = entry.id;
  return made;
}

/** A cell that is named by its column where a narrow window shows rows as cards. */
function cell(key, ...content) {
  const made = element("td", key, ...content);
  made.dataset.column = text(key);
  return made;
}

function stateOf({ state, code, reason, cure, kept, warning }) {
  const said = [say("span", `state ${state}`, STATES[state])];
  if (code) said.push(element("small", "reason", `${code} ${half(reason)}`), ...(cure ? [element("small", "", `→ ${half(cure)}`)] : []));
  if (state === "indexed" && kept < 2 / 3) said.push(element("small", "reason", text("kept", Math.floor(kept * 100))));
  if (warning) said.push(element("small", "reason", half(warning)));
  return said;
}

function size(bytes) {
  if (!bytes) return "";
  const units = ["B", "KB", "MB"];
  const step = Math.min(2, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** step).toFixed(step && bytes / 1024 ** step < 10 ? 1 : 0)} ${units[step]}`;
}

function when(changed) {
  if (!changed) return "";
  const made = element("time", "", new Date(changed).toLocaleString(text("lang"), { dateStyle: "medium", timeStyle: "short" }));
  made.dateTime = changed;
  return element("small", "", text("changed"), " ", made);
}

async function removed(entry) {
  try {
    const undo = await takeOut(entry.id);
    const next = find(entry.id)?.nextElementSibling ?? find(entry.id)?.previousElementSibling;
    note(element("span", "", text("removed"), element("bdi", "", entry.title)), button("undo", () => restored(undo)));
    if (next) next.querySelector(".open").focus();
  } catch (error) {
    note(element("span", "error", error.message));
  }
  changed();
}

async function restored(undo) {
  try {
    await putBack(undo);
    note(say("span", "", "restored"));
  } catch (error) {
    note(element("span", "error", error.message));
  }
  changed();
}

/** Says something at the foot of the page until it is put away or something else is said. */
function note(...content) {
  $("note").replaceChildren(...content, button("hide", () => ($("note").hidden = true), "hide"));
  $("note").hidden = false;
  announce($("note").firstChild.textContent);
}

/** The table is looked at anew, and what changed is indexed. */
function changed() {
  look();
  run();
}

async function run() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  $("now").disabled = true;
  try {
    for await (const { name, data } of index()) {
      if (name === "progress") progress(data);
      else if (name === "error") note(element("span", "error", data.message));
      else write($("run"), data.changed ? "ran" : "upToDate");
    }
  } catch (error) {
    $("run").textContent = error.message;
  }
  $("bar").hidden = true;
  $("now").disabled = running = false;
  look();
  if (!again) return;
  again = false;
  run();
}

function progress({ done, total }) {
  $("bar").hidden = false;
  $("bar").max = total || 1;
  $("bar").value = done;
  write($("run"), "running");
}

/** Tries a question that somebody asked. */
function probe(question) {
  view("documents");
  $("probe").value = question;
  $("try-it").scrollIntoView();
  tried();
}

/** Shows one of the two halves of the page; the address names it. */
function view(name) {
  for (const one of VIEWS) {
    $(`view-${one}`).hidden = one !== name;
    $(`tab-${one}`).ariaSelected = String(one === name);
    $(`tab-${one}`).tabIndex = one === name ? 0 : -1;
  }
  history.replaceState(null, "", name === "documents" ? location.pathname : `#${name}`);
  if (name === "questions") showQuestions();
}

async function tried(event) {
  event?.preventDefault();
  const question = $("probe").value.trim();
  if (!question) return;
  $("hits").replaceChildren(say("p", "note", "waiting"));
  try {
    const found = await explain(question);
    const cards = found.hits.slice(0, 10).map((hit, i) => {
      return card({ ...hit, number: i + 1, spans: hit.spans ?? [], page: hit.passage.page }, () => Promise.resolve(found));
    });
    const verdict = say("p", "verdict", found.refused ? "wouldNot" : "would");
    verdict.append(` · ${text("confidence")} ${found.confidence.toFixed(2)}`);
    $("hits").replaceChildren(...(cards.length ? [verdict, ...cards] : [say("p", "note", "nothingFound")]));
  } catch (error) {
    $("hits").replaceChildren(element("p", "error", error.message));
  }
}

function listen() {
  let typing = 0;
  VIEWS.forEach((name, i) => {
    $(`tab-${name}`).addEventListener("click", () => view(name));
    $(`tab-${name}`).addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowRight" && key !== "ArrowLeft") return;
      const next = VIEWS[(i + 1) % VIEWS.length];
      view(next);
      $(`tab-${next}`).focus();
    });
  });
  $("find").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => want({ q: $("find").value.trim() }), TYPING_MS);
  });
  for (const name of ["state", "collection"]) {
    $(name).addEventListener("change", () => want({ [name]: $(name).value ? $(name).value.slice(1) : null }));
  }
  for (const name of ["since", "until"]) $(name).addEventListener("change", () => want({ [name]: $(name).value }));
  for (const head of document.querySelectorAll("th[data-sort]")) {
    head.querySelector("button").addEventListener("click", () => sortBy(head.dataset.sort));
  }
  $("more").addEventListener("click", () => want({ limit: Math.min(1000, wanted.limit + PAGE) }, false));
  $("now").addEventListener("click", run);
  $("probing").addEventListener("submit", tried);
  $("language").addEventListener("click", () => {
    use();
    look();
    if (!$("view-questions").hidden) showQuestions();
  });
}

function want(wish, anew = true) {
  Object.assign(wanted, anew ? { limit: PAGE } : {}, wish);
  look();
}

/** By a column, its order turned when it is the one already. Figures and dates begin with the largest. */
function sortBy(sort) {
  const largest = ["bytes", "passages", "date"].includes(sort);
  want({ sort, descending: wanted.sort === sort ? !wanted.descending : largest });
  for (const head of document.querySelectorAll("th[data-sort]")) {
    head.ariaSort = head.dataset.sort !== sort ? "none" : wanted.descending ? "descending" : "ascending";
  }
}

extend(TEXTS);
prepareTheme();
prepareReader();
prepareDocument();
prepareUploads(changed);
prepareQuestions({ probe, changed, note });
listen();
speak();
view(location.hash === "#questions" ? "questions" : "documents");
look();
