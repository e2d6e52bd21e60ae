// The page: one question box, a log of turns, a reading pane, a drawer of conversations.

import { alive, chat, examples, Unreachable } from "./api.js";
import { spoken, turn } from "./answer.js";
import { blank, conversation, keep } from "./conversation.js";
import { $, announce, element } from "./dom.js";
import { embed } from "./embed.js";
import { prepareHistory } from "./history.js";
import { speak, text, use } from "./i18n.js";
import { prepareReader } from "./reader.js";
import { prepareScope, scope } from "./scope.js";
import { prepareTheme } from "./theme.js";

const MOST = 2000; // characters of a question
const KNOCK_MS = 4000; // between two looks whether a lost server is back
const touch = matchMedia("(pointer: coarse)");
let current = blank();
let running = null; // the AbortController of the answer that is streaming
let knocking = 0;

function toQuestion() {
  if (!touch.matches) $("question").focus(); // on a phone it would pull the keyboard over the answer
}

function busy(controller) {
  running = controller;
  $("send").hidden = Boolean(controller);
  $("stop").hidden = !controller;
}

/** The next question may be asked, unless another one is being answered already. */
function free(controller) {
  if (running === controller) busy(null);
}

async function ask(question) {
  if (running) return;
  const mine = current; // the conversation may be left while the answer streams
  const asked = scope();
  const view = turn(question, asked);
  addTurn(view);
  const controller = new AbortController();
  busy(controller);
  try {
    for await (const { name, data } of chat(question, mine.turns, asked, controller.signal)) {
      if (name === "sources") view.showSources(data);
      else if (name === "short") {
        view.showShort(data.text);
        announce(data.text); // a model may take a while to word the rest
      } else if (name === "delta") view.addText(data.text);
      else if (name === "done") {
        free(controller); // the answer is complete, though the stream may take a moment to close
        finish(mine, view, question, data, asked);
      }
    }
    reached(true);
  } catch (error) {
    const stopped = error.name === "AbortError";
    reached(!(error instanceof Unreachable));
    view.fail(stopped ? text("stopped") : error.message, stopped, () => again(view, question));
  } finally {
    free(controller);
    toQuestion();
  }
}

function finish(mine, view, question, answer, collections) {
  const entry = { at: Date.now(), question, answer, verdict: 0, collections };
  view.finish(answer, 0, (verdict) => judged(mine, entry, verdict));
  mine.turns.push(entry);
  keep(mine);
  if (mine === current) name(mine);
  announce(spoken(answer));
}

function judged(mine, entry, verdict) {
  entry.verdict = verdict;
  keep(mine);
}

function again(view, question) {
  if (running) return;
  view.root.remove();
  ask(question);
}

function addTurn(view) {
  $("welcome").hidden = true;
  $("fresh").hidden = false;
  $("log").append(view.root);
  view.root.scrollIntoView({ block: "start" });
}

/** The address names the conversation, so that a reload and the back button find it. */
function name({ id }) {
  if (location.hash !== `#${id}`) history.pushState(null, "", `#${id}`);
}

function show(one) {
  running?.abort();
  current = one;
  $("log").replaceChildren();
  $("reader").close();
  $("welcome").hidden = one.turns.length > 0;
  $("fresh").hidden = !one.turns.length;
  for (const entry of one.turns) {
    const view = turn(entry.question, entry.collections);
    view.finish(entry.answer, entry.verdict, (verdict) => judged(one, entry, verdict));
    addTurn(view);
  }
}

function fresh() {
  show(blank());
  if (location.hash) history.pushState(null, "", location.pathname + location.search);
  $("question").focus();
}

function open(id) {
  const one = conversation(id);
  if (!one) return;
  show(one);
  name(one);
}

/** Another tab has added to a conversation: what it added is shown here too. */
function another() {
  const one = conversation(current.id);
  if (one && one.turns.length > current.turns.length && !running) show(one);
}

function route() {
  const id = location.hash.slice(1);
  if (id === current.id) return;
  const one = conversation(id);
  if (one) show(one);
  else if (current.turns.length) show(blank());
}

/** Says that the server is away, and looks for it until it is back. */
function reached(yes) {
  $("offline").hidden = yes;
  clearTimeout(knocking);
  if (!yes) knocking = setTimeout(knock, KNOCK_MS);
}

async function knock() {
  const there = await alive();
  const back = there && !$("offline").hidden;
  reached(there);
  if (there) prepareScope(() => showExamples(true)).then(showExamples);
  if (back) announce(text("back"));
}

async function showExamples(anew = false) {
  if ($("examples").childElementCount && !anew) return;
  const given = await examples(scope());
  $("try").hidden = !given.length;
  $("examples").replaceChildren(...given.map((question) => {
    const made = element("button", "", question);
    made.type = "button";
    made.addEventListener("click", () => ask(question));
    return element("li", "", made);
  }));
}

/** Says while one types that a question is too long, rather than cutting it. */
function measure() {
  const count = Array.from($("question").value).length;
  $("long").hidden = count <= MOST;
  $("long").dataset.text = "tooLong";
  $("long").dataset.number = count;
  $("long").textContent = count > MOST ? text("tooLong", count) : "";
  $("send").disabled = count > MOST;
}

function submit(event) {
  event.preventDefault();
  if (running || $("send").disabled) return; // what is typed meanwhile stays in the box
  const question = $("question").value.trim();
  if (question) {
    $("question").value = "";
    measure();
    ask(question);
  }
  toQuestion();
}

function listen() {
  $("ask").addEventListener("submit", submit);
  $("question").addEventListener("input", measure);
  $("question").addEventListener("keydown", (event) => {
    // Enter that confirms a composition must not send. Safari ends the composition first, but keeps key code 229.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    submit(event);
  });
  $("stop").addEventListener("click", () => running?.abort());
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !running || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    running.abort();
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names a conversation, not a place
    $("question").focus();
  });
  $("fresh").addEventListener("click", fresh);
  $("again").addEventListener("click", knock);
  $("language").addEventListener("click", () => use());
  addEventListener("popstate", route);
  addEventListener("storage", ({ key }) => key === "wenqu.conversations" && another());
  addEventListener("offline", () => reached(false));
  addEventListener("online", knock);
}

$("offline").querySelector("span").dataset.text = "offline";
prepareTheme();
prepareReader();
prepareHistory({ open, fresh, gone: (id) => (id === null || id === current.id) && fresh() });
listen();
speak();
if ("origins" in document.documentElement.dataset) embed();
route();
prepareScope(() => showExamples(true)).then(showExamples);
