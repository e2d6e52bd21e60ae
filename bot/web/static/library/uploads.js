// Files on their way: one after the other, each with its bar; what was refused says why, what broke can be sent again.

import { $, announce, button, element, say } from "../dom.js";
import { half, text } from "../i18n.js";
import { send } from "./server.js";

const MOST_SHOWN = 200; // lines of files that have arrived
const HIDDEN = /(^|\/)[.]/; // .DS_Store and its like, which folders are full of

let waiting = [];
let busy = false;

/** Makes the drop zone work; `arrived` is called when files have been stored. */
export function prepareUploads(arrived) {
  const zone = $("drop");
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && zone.classList.remove("over"));
  document.addEventListener("drop", async (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    zone.classList.remove("over");
    take(await dropped(event.dataTransfer), arrived);
  });
  for (const [opener, input] of [["choose", "files"], ["choose-folder", "folder"]]) {
    $(opener).addEventListener("click", () => $(input).click());
    $(input).addEventListener("change", () => {
      take([...$(input).files].map((file) => ({ file, name: file.webkitRelativePath || file.name })), arrived);
      $(input).value = "";
    });
  }
  $("clear").addEventListener("click", () => {
    for (const line of [...$("uploads").children]) if (line.dataset.over) line.remove();
    showBox();
  });
  addEventListener("beforeunload", (event) => busy && event.preventDefault());
}

/** The files of a drop, those in folders under their path. */
async function dropped({ items, files }) {
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...files].map((file) => ({ file, name: file.name }));
  const found = [];
  const walk = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
      if (file) found.push({ file, name: path + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) { // it gives a hundred at a time
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
      if (!some.length) return;
      for (const one of some) await walk(one, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

function take(files, arrived) {
  const collection = $("into").value.trim();
  const wanted = files.filter(({ name }) => !HIDDEN.test(name));
  wanted.sort((a, b) => (a.name < b.name ? -1 : 1));
  waiting.push(...wanted.map((one) => ({ ...one, collection, line: lineOf(one) })));
  showBox();
  work(arrived);
}

async function work(arrived) {
  if (busy) return;
  busy = true;
  let stored = 0;
  let refused = 0;
  while (waiting.length) {
    if (await sent(waiting.shift(), arrived)) stored += 1;
    else refused += 1;
    // A folder of hundreds is answerable bit by bit, not only when its last file has arrived.
    if (stored && stored % 50 === 0) arrived();
  }
  busy = false;
  announce(`${text("stored")}: ${stored}` + (refused ? `, ${text("refusedFile")}: ${refused}` : ""));
  if (stored) arrived();
}

async function sent(one, arrived) {
  const { line, file, name, collection } = one;
  const controller = new AbortController();
  line.begin(() => controller.abort());
  try {
    const { code, reason } = await send(file, name, collection, line.progress, controller.signal);
    line.end(code ? `${code} ${half(reason)}` : "");
    return !code;
  } catch (error) {
    const again = () => {
      waiting.push(one);
      work(arrived);
    };
    line.end(error.name === "AbortError" ? text("stopped") : text("lost"), again);
    return false;
  }
}

/** The line of a file: its name, a bar, what became of it. */
function lineOf({ name }) {
  const bar = element("progress");
  bar.max = 1;
  bar.value = 0;
  bar.ariaLabel = name;
  const said = element("span", "said");
  const root = element("li", "", element("bdi", "", name), bar, said);
  $("uploads").append(root);
  return {
    begin(stop) {
      delete root.dataset.over;
      bar.hidden = false;
      said.className = "said";
      said.replaceChildren(button("stopUpload", stop));
      root.scrollIntoView({ block: "nearest" });
    },
    progress(share) {
      bar.value = share;
    },
    end(reason, again = null) {
      root.dataset.over = reason ? "refused" : "stored";
      bar.hidden = true;
      said.className = reason ? "said error" : "said";
      said.replaceChildren(reason || say("span", "", "stored"), ...(again ? [" ", button("retryUpload", again)] : []));
      if (!reason) trim();
      showBox();
    },
  };
}

/** Of many files that have arrived only the last ones keep a line; those that were refused all do. */
function trim() {
  const arrived = $("uploads").querySelectorAll("[data-over=stored]");
  for (let i = 0; i < arrived.length - MOST_SHOWN; i += 1) arrived[i].remove();
}

function showBox() {
  $("uploading").hidden = !$("uploads").childElementCount;
  $("clear").hidden = !$("uploads").querySelector("[data-over]");
}
