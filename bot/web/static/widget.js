// The launcher, for somebody else's page: <script async src="…/widget.js" data-title="…" data-theme="…" data-lang="…">.
// A classic script, because only those know their own address. Everything sits in a shadow root; the answers in a frame.
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || document.querySelector("wenqu-widget")) return;
  const home = new URL(script.src).origin;
  const { title = "问渠", theme = "auto", lang = "" } = script.dataset;
  const chinese = (lang || document.documentElement.lang || navigator.language).toLowerCase().startsWith("zh");
  const label = chinese ? `打开${title}` : `Open ${title}`;

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial; position: fixed; right: 20px; bottom: 20px; z-index: 2147483000;
      display: flex; flex-direction: column; align-items: flex-end; }
    button { font: 600 16px/1 "Songti SC", "Noto Serif CJK SC", SimSun, serif; letter-spacing: .1em; color: #fff;
      background: #1f5c73; border: 0; border-radius: 26px; padding: 0 22px; height: 52px; max-width: 70vw; cursor: pointer;
      overflow: hidden; text-overflow: ellipsis; white-space: nowrap; box-shadow: 0 4px 18px rgb(0 0 0 / .25); }
    button:focus-visible { outline: 3px solid #7fc1d3; outline-offset: 3px; }
    iframe { display: block; border: 0; border-radius: 14px; width: min(400px, calc(100vw - 24px)); background: #f7f4ec;
      height: min(640px, calc(100vh - 100px)); box-shadow: 0 8px 40px rgb(0 0 0 / .3); margin-bottom: 12px; }
    [hidden] { display: none; }
    @media (max-width: 480px) { :host { right: 12px; bottom: 12px; } }
  `);
  const host = document.createElement("wenqu-widget");
  const root = host.attachShadow({ mode: "closed" });
  root.adoptedStyleSheets = [sheet];
  const launcher = document.createElement("button");
  launcher.type = "button";
  launcher.textContent = title;
  launcher.ariaLabel = label;
  launcher.ariaExpanded = "false";
  root.append(launcher);
  let frame = null;

  const greet = () => frame.contentWindow.postMessage({ wenqu: "open" }, home);

  function makeFrame() {
    frame = document.createElement("iframe");
    frame.title = title;
    frame.allow = "clipboard-write";
    frame.referrerPolicy = "no-referrer";
    const wanted = new URLSearchParams({ title, theme, lang: lang || (chinese ? "zh" : "en") });
    frame.src = `${home}/widget?${wanted}`;
    frame.addEventListener("load", greet);
    root.prepend(frame);
  }

  function show(open) {
    if (open && !frame) makeFrame();
    else if (open) setTimeout(greet);
    frame.hidden = !open;
    launcher.ariaExpanded = String(open);
    if (!open) launcher.focus();
  }

  launcher.addEventListener("click", () => show(!frame || frame.hidden));
  addEventListener("message", ({ source, origin, data }) => {
    if (frame && source === frame.contentWindow && origin === home && data?.wenqu === "close") show(false);
  });
  const place = () => document.body.append(host);
  if (document.body) place();
  else addEventListener("DOMContentLoaded", place);
})();
