// The manual: the button of the theme, and the contents open where there is room beside the text.

import { $ } from "./dom.js";
import { use } from "./i18n.js";
import { prepareTheme } from "./theme.js";

use(document.documentElement.lang === "en" ? "en" : "zh", false);
prepareTheme();
$("theme").hidden = false;
$("contents").open = matchMedia("(min-width: 64rem)").matches;
const current = document.querySelector("[aria-current]");
if (current) current.closest("nav").scrollTop = current.offsetTop - innerHeight / 3;
