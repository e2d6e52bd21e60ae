// Light, dark, or as the system has it.

import { $ } from "./dom.js";
import { text } from "./i18n.js";
import { recall, remember } from "./memory.js";

const SIGNS = { auto: "◐", light: "○", dark: "●" };
const THEMES = Object.keys(SIGNS);

/** Wears a theme. */
export function wear(theme) {
  if (!THEMES.includes(theme)) return;
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = SIGNS[theme];
  $("theme").dataset.label = `theme_${theme}`;
  $("theme").ariaLabel = text($("theme").dataset.label);
}

/** Wears the remembered theme; the button goes on to the next one. */
export function prepareTheme() {
  wear("auto");
  wear(recall("theme"));
  $("theme").addEventListener("click", () => {
    const now = document.documentElement.dataset.theme ?? "auto";
    const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
    remember("theme", next);
    wear(next);
  });
}
