// A picture of a document, which the server keeps by its hash.

import { element } from "./dom.js";
import { text } from "./i18n.js";

/** The address of a picture. */
export const addressOf = ({ hash }) => `/picture/${encodeURIComponent(hash)}`;

/** The picture, loaded once it comes into view; its caption stands for it where it is not seen. */
export function pictureOf(kept) {
  const made = element("img");
  made.loading = "lazy";
  made.width = kept.width;
  made.height = kept.height;
  made.alt = kept.caption || text("picture");
  made.src = addressOf(kept);
  return made;
}
