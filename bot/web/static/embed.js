// The page inside somebody else's: only the origins that the server allows are listened to and spoken to.

import { $ } from "./dom.js";
import { use } from "./i18n.js";
import { wear } from "./theme.js";

/** Takes title, theme and language from the address, and speaks with the page around. */
export function embed() {
  const origins = document.documentElement.dataset.origins.split(" ");
  const wanted = new URLSearchParams(location.search);
  const title = (wanted.get("title") ?? "").slice(0, 40);
  if (title) $("name").textContent = document.title = title;
  wear(wanted.get("theme") ?? "auto");
  use(wanted.get("lang") ?? "", false);

  let around = null; // the origin of the page around, once it has spoken
  addEventListener("message", ({ source, origin, data }) => {
    if (source !== parent || source === window || !origins.includes(origin)) return;
    around = origin;
    $("leave").hidden = false;
    if (data?.wenqu === "open") $("question").focus();
  });
  const leave = () => around && parent.postMessage({ wenqu: "close" }, around);
  $("leave").addEventListener("click", leave);
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]")) leave();
  });
}
