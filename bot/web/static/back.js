// Back closes what lies over the page, rather than leaving what is behind it.

/** Lets Back close a dialog; gives what is to be called when it opens. */
export function closedByBack(dialog) {
  const isTop = () => history.state?.pane === dialog.id;
  dialog.addEventListener("close", () => isTop() && history.back());
  addEventListener("popstate", () => dialog.open && !isTop() && dialog.close());
  return () => isTop() || history.pushState({ pane: dialog.id }, "");
}
