// Which folders are asked: a chip each, above the question. None chosen means all.

import { collections } from "./api.js";
import { $, element } from "./dom.js";
import { recall, remember } from "./memory.js";

const chosen = new Set((recall("collections") ?? "").split("\n").filter(Boolean));
let known = []; // the names of the folders, without the corpus folder itself

/** The folders that are asked; null for all. */
export function scope() {
  const asked = known.filter((name) => chosen.has(name));
  return asked.length ? asked : null;
}

/**
 * Shows the chips where there is something to choose, and where to put documents where there are none.
 * `changed` is called when another choice is made.
 */
export async function prepareScope(changed) {
  const found = await collections();
  if (!found) return;
  known = found.map(({ name }) => name).filter(Boolean);
  $("scope").hidden = found.length < 2;
  $("nothing").hidden = found.length > 0;
  if (found.length < 2) known = [];
  $("scope").replaceChildren(...known.map((name) => chip(name, changed)));
}

function chip(name, changed) {
  const made = element("button", "chip", element("bdi", "", name));
  made.type = "button";
  made.ariaPressed = String(chosen.has(name));
  made.addEventListener("click", () => {
    chosen.has(name) ? chosen.delete(name) : chosen.add(name);
    made.ariaPressed = String(chosen.has(name));
    remember("collections", [...chosen].join("\n"));
    changed();
  });
  return made;
}
