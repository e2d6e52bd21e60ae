// What the browser remembers. Storage may be forbidden, full or damaged: then this visit alone is remembered.

const visit = new Map();
let lasting = true;

/** Whether what is remembered outlives the page. */
export const lasts = () => lasting;

/** The text kept under a name, or null. */
export function recall(name) {
  if (visit.has(name)) return visit.get(name);
  try {
    return localStorage.getItem(`wenqu.${name}`);
  } catch {
    lasting = false;
    return null;
  }
}

/** Keeps a text under a name; false when it is kept for this visit only. */
export function remember(name, value) {
  try {
    localStorage.setItem(`wenqu.${name}`, value);
    visit.delete(name);
    lasting = true;
  } catch {
    visit.set(name, value);
    lasting = false;
  }
  return lasting;
}
