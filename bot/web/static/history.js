// The drawer with the conversations that the browser keeps.

import { conversations, forget, forgetAll } from "./conversation.js";
import { $, button, element, say } from "./dom.js";
import { text } from "./i18n.js";
import { lasts } from "./memory.js";

/** Prepares the drawer. `open(id)` shows a conversation, `fresh()` begins one, `gone(id)` is told what was deleted. */
export function prepareHistory({ open, fresh, gone }) {
  const drawer = $("history");

  function list() {
    const kept = conversations();
    $("conversations").replaceChildren(...(kept.length ? kept.map(item) : [say("li", "faint", "empty")]));
    $("kept").dataset.text = lasts() ? "kept" : "unkept";
    $("kept").textContent = text($("kept").dataset.text);
    $("forget").hidden = !kept.length;
    ask(false);
  }

  function item({ id, at, turns }) {
    const name = element("button", "name", element("bdi", "", turns[0].question), time(at));
    name.type = "button";
    name.addEventListener("click", () => {
      drawer.close();
      open(id);
    });
    const remove = button("remove", () => {
      forget(id);
      gone(id);
      list();
      ($("conversations").querySelector("button") ?? $("new")).focus();
    });
    return element("li", "", name, remove);
  }

  /** Deleting everything asks once, in the button itself. */
  function ask(asking) {
    $("forget").dataset.text = asking ? "sure" : "forget";
    $("forget").textContent = text($("forget").dataset.text);
  }

  $("show-history").addEventListener("click", () => {
    list();
    drawer.showModal();
  });
  $("forget").addEventListener("click", () => {
    if ($("forget").dataset.text !== "sure") return ask(true);
    forgetAll();
    gone(null);
    list();
    return $("new").focus();
  });
  $("new").addEventListener("click", () => {
    drawer.close();
    fresh();
  });
  drawer.querySelector(".close").addEventListener("click", () => drawer.close());
}

function time(at) {
  const made = element("time", "", new Date(at).toLocaleString(text("lang"), { dateStyle: "medium", timeStyle: "short" }));
  made.dateTime = new Date(at).toISOString();
  return made;
}
