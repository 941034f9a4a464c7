// What many modules need: nodes, a memory that may be barred, the clipboard, numbers as text.

export function made(tag, text = "", name = "") {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== "") node.textContent = text;
  return node;
}

export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

// Reads a choice of this viewer, or writes it. Storage may be barred: then it lasts for this page only.
export function kept(key, value) {
  try {
    return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value);
  } catch {
    return null;
  }
}

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that came without encryption have no clipboard of their own.
  const field = made("textarea");
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  return undefined;
}

// "12 345", and "1 line", "2 lines".
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
