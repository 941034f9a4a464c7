// Keys of every page. Other modules add their own with `bind`; `?` lists them all. They rest while one types, and can be
// switched off, which is remembered.
const bound = new Map();
const listed = [];
// What `g` waits for, and for how long.
const PAUSE = 1000;
let begun = "";
let since = 0;

// `keys`: one key, or two after each other with a space between ("g o"). `run` may return false: not meant for it.
export function bind(keys, says, run) {
  const known = bound.get(keys);
  bound.set(keys, known ? [...known, run] : [run]);
  if (says) listed.push([keys, says]);
}

function on() {
  try {
    return localStorage.getItem("keys") !== "off";
  } catch {
    return true; // storage may be barred
  }
}

const typing = (node) =>
  node.isContentEditable || node.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button])");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  const target = event.target instanceof Element ? event.target : document.body;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return escape(target);
  if (!on() || typing(target)) return;
  const keys = begun && event.timeStamp - since < PAUSE ? `${begun} ${event.key}` : event.key;
  begun = "";
  for (const run of bound.get(keys) ?? []) {
    if (run(event) !== false) {
      event.preventDefault();
      return;
    }
  }
  if ([...bound.keys()].some((known) => known.startsWith(`${event.key} `))) {
    begun = event.key;
    since = event.timeStamp;
  }
});

// Esc leaves a field, closes a menu, lets go of a row; others listen for `keys:escape`.
function escape(target) {
  begun = "";
  const menu = document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    return menu.querySelector("summary").focus();
  }
  if (target !== document.body) target.blur();
  document.dispatchEvent(new CustomEvent("keys:escape"));
}

const rows = () =>
  [...document.querySelectorAll("main tbody tr, main .cards > li")].filter((row) => row.querySelector("a[href]") && row.checkVisibility());
const current = () => document.activeElement?.closest("tbody tr, .cards > li");
const door = (row) => row.querySelector("th a[href], h2 a[href]") ?? row.querySelector("a[href]");

function step(by) {
  const all = rows();
  if (!all.length) return false;
  const at = all.indexOf(current());
  const row = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  door(row).focus();
  row.scrollIntoView({ block: "nearest" });
}

bind("?", "List of keys", show);
bind("/", "Find in the list", () => {
  const field = document.querySelector("[data-find]");
  if (!field) return false;
  field.focus();
  field.select();
});
bind("j", "Next row", () => step(1));
bind("k", "Row before", () => step(-1));
bind("x", "Select the row", () => {
  const box = current()?.querySelector("input[type=checkbox]");
  if (!box) return false;
  box.click();
});
for (const [key, name, href] of [["o", "Overview", "/"], ["w", "Workers", "/workers"], ["s", "Studies", "/studies"]]) {
  bind(`g ${key}`, `Go to ${name}`, () => location.assign(href));
}

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

export function show() {
  const dialog = element("dialog");
  dialog.id = "keys";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const title = element("h2", "Keys");
  title.id = "keys-title";
  const list = element("dl");
  list.className = "keys";
  for (const [keys, says] of [...listed, ["Enter", "Open the row"], ["Esc", "Leave a field, close, let go"]]) {
    const term = element("dt");
    keys.split(" ").forEach((key) => term.append(element("kbd", key)));
    list.append(term, element("dd", says));
  }
  const box = element("input");
  box.type = "checkbox";
  box.checked = on();
  box.addEventListener("change", () => {
    try {
      localStorage.setItem("keys", box.checked ? "on" : "off");
    } catch {
      // cannot be remembered where storage is barred
    }
  });
  const choice = element("label", "", box, " Use keys of one letter");
  choice.className = "choice";
  const close = element("button", "Close");
  close.addEventListener("click", () => dialog.close());
  dialog.append(title, list, choice, close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

document.getElementById("keys-open")?.addEventListener("click", show);
