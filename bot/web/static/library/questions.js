// What had no answer, what users disliked, and the answers that people wrote: read, written, tried as one types.

import { $, button, element, say } from "../dom.js";
import { text } from "../i18n.js";
import { answersWritten, caught, journal, removeAnswer, writeAnswer } from "./server.js";

const TYPING_MS = 300; // a pause in typing after which the draft is tried
const FIELDS = ["ways", "words", "from", "address"];
let editing = ""; // the id of the answer that is being changed, "" for a new one
let tried = 0;

/** Fills the lists anew. Returns whether that went well. */
export async function showQuestions() {
  try {
    const [unanswered, disliked, answers] = await Promise.all([journal("unanswered"), journal("disliked"), answersWritten()]);
    fill("unanswered", unanswered.map(unansweredItem));
    fill("disliked", disliked.map(dislikedItem));
    fill("answers", answers.map(answerItem));
    $("questions-problem").hidden = true;
  } catch (error) {
    $("questions-problem").textContent = error.message;
    $("questions-problem").hidden = false;
  }
}

let helpers = {};

/** Makes the form work. `probe(question)` tries the search, `changed()` indexes, `note(...)` says something. */
export function prepareQuestions(given) {
  helpers = given;
  let typing = 0;
  $("ways").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(tryDraft, TYPING_MS);
  });
  $("answer-form").addEventListener("submit", save);
  $("answer-new").addEventListener("click", () => edit("", "", "", "", ""));
}

function fill(name, items) {
  $(name).replaceChildren(...(items.length ? items : [say("li", "note", "nothingHere")]));
  $(`${name}-count`).textContent = items.length || "";
}

function unansweredItem({ question, count, last }) {
  return item(question, [count > 1 ? text("askedTimes", count) : "", day(last)], actionsFor(question));
}

function dislikedItem({ question, comments, time }) {
  const made = item(question || text("notKept"), [day(time)], question ? actionsFor(question) : []);
  if (comments) made.querySelector(".what").append(element("small", "reason", comments));
  return made;
}

function answerItem({ id, questions, answer, source, url }) {
  const change = button("edit", () => edit(id, questions.join("\n"), answer, source, url));
  const remove = button("remove", () => removed({ id, questions, answer, source, url }), "remove");
  const made = item(questions[0], [questions.length > 1 ? `+${questions.length - 1}` : "", source], [change, remove]);
  made.querySelector(".what").append(element("p", "passage", answer));
  return made;
}

function item(title, about, actions) {
  const said = element("small", "", about.filter(Boolean).join(" · "));
  const what = element("div", "what", element("bdi", "asked", title), said);
  return element("li", "", what, element("div", "actions", ...actions));
}

function actionsFor(question) {
  return [
    button("writeAnswer", () => edit("", question, "", "", "")),
    button("whichDocument", () => helpers.probe(question)),
  ];
}

const day = (time) => new Date(time).toLocaleDateString(text("lang"), { dateStyle: "medium" });

function edit(id, ...values) {
  editing = id;
  FIELDS.forEach((name, i) => ($(name).value = values[i]));
  $("answer-problem").hidden = true;
  $("answer-form").hidden = false;
  $("answer-form").scrollIntoView({ block: "nearest" });
  $(values[0] ? "words" : "ways").focus();
  tryDraft();
}

const ways = () => $("ways").value.split("\n").map((one) => one.trim()).filter(Boolean);

/** Says which questions that people asked the draft would answer. */
async function tryDraft() {
  const mine = ++tried;
  const found = ways().length ? await caught(ways()).catch(() => []) : [];
  if (mine !== tried) return;
  $("caught").replaceChildren(...found.slice(0, 20).map((one) => element("li", "", one)));
  $("caught-title").hidden = !ways().length;
  $("caught-title").dataset.text = found.length ? "catches" : "catchesNone";
  $("caught-title").textContent = text($("caught-title").dataset.text);
}

async function save(event) {
  event.preventDefault();
  const [, answer, source, url] = FIELDS.map((name) => $(name).value.trim());
  try {
    await writeAnswer({ questions: ways(), answer, source, url }, editing);
    $("answer-form").hidden = true;
    helpers.note(say("span", "", "answerSaved"));
    helpers.changed();
    await showQuestions();
    $("answer-new").focus();
  } catch (error) {
    $("answer-problem").textContent = error.message;
    $("answer-problem").hidden = false;
  }
}

async function removed({ id, ...entry }) {
  try {
    await removeAnswer(id);
    const back = async () => {
      await writeAnswer(entry, "");
      helpers.note(say("span", "", "restored"));
      helpers.changed();
      await showQuestions();
    };
    helpers.note(element("span", "", text("removed"), element("bdi", "", entry.questions[0])), button("undo", back));
  } catch (error) {
    helpers.note(element("span", "error", error.message));
  }
  helpers.changed();
  await showQuestions();
  $("answer-new").focus();
}
