// The drawer with the conversations that the browser keeps.

import { conversation, conversations, forget, forgetAll, markdown, matching, nameOf, rename } from "./conversation.js";
import { $, button, element, say } from "./dom.js";
import { text } from "./i18n.js";
import { lasts } from "./memory.js";

/** Prepares the drawer. `open(id)` shows a conversation, `fresh()` begins one, `gone(id)` is told what was deleted. */
export function prepareHistory({ open, fresh, gone }) {
  const drawer = $("history");

  function list() {
    const kept = conversations();
    const found = matching($("look").value);
    $("conversations").replaceChildren(...(found.length ? found.map(item) : [say("li", "faint", kept.length ? "noneLike" : "empty")]));
    $("look").hidden = !kept.length;
    $("kept").dataset.text = lasts() ? "kept" : "unkept";
    $("kept").textContent = text($("kept").dataset.text);
    $("forget").hidden = !kept.length;
    ask(false);
  }

  function item(one) {
    const { id, at } = one;
    const name = element("button", "name", element("bdi", "", nameOf(one)), time(at));
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
    const made = element("li", "", name, button("rename", () => naming(made, one)), button("export", () => save(id)), remove);
    return made;
  }

  /** A box in the place of a conversation's name; Enter and leaving it keep what was typed, Escape does not. */
  function naming(made, one) {
    const box = element("input", "name");
    box.value = nameOf(one);
    box.maxLength = 100;
    box.ariaLabel = text("rename");
    let over = false;
    const end = (keeps) => {
      if (over) return;
      over = true;
      if (keeps) rename(one.id, box.value.trim());
      list();
    };
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      end(event.key === "Enter");
    });
    box.addEventListener("blur", () => end(true));
    made.replaceChildren(box);
    box.focus();
    box.select();
  }

  /** Deleting everything asks once, in the button itself. */
  function ask(asking) {
    $("forget").dataset.text = asking ? "sure" : "forget";
    $("forget").textContent = text($("forget").dataset.text);
  }

  $("look").addEventListener("input", list);
  $("show-history").addEventListener("click", () => {
    $("look").value = "";
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

/** Lets the browser keep a conversation as a file. */
function save(id) {
  const one = conversation(id);
  if (!one) return;
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([markdown(one)], { type: "text/markdown" }));
  link.download = `${nameOf(one).replace(/[^\p{L}\p{N}]+/gu, " ").trim().slice(0, 60) || "wenqu"}.md`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function time(at) {
  const made = element("time", "", new Date(at).toLocaleString(text("lang"), { dateStyle: "medium", timeStyle: "short" }));
  made.dateTime = new Date(at).toISOString();
  return made;
}
