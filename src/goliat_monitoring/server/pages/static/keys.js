// Keys of every page. Other modules add their own with `bind`; `?` lists them all. They rest while one types, and can be
// switched off, which is remembered.
import { kept, made } from "./common.js";

const bound = new Map();
const listed = [];
// What `g` waits for, and for how long.
const PAUSE = 1000;
let begun = "";
let since = 0;

// `keys`: one key, or two after each other with a space between ("g o"). `run` may return false: not meant for it.
export function bind(keys, says, run) {
  bound.set(keys, [...(bound.get(keys) ?? []), run]);
  if (says) listed.push([keys, says]);
}

const on = () => kept("keys") !== "off";

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

const dialog = document.getElementById("keys");

function show() {
  const terms = [...listed, ["Enter", "Open the row"], ["Esc", "Leave a field, close, let go"]].flatMap(([keys, says]) => {
    const term = made("dt");
    term.append(...keys.split(" ").map((key) => made("kbd", key)));
    return [term, made("dd", says)];
  });
  dialog.querySelector("dl").replaceChildren(...terms);
  const box = dialog.querySelector("input");
  box.checked = on();
  box.onchange = () => kept("keys", box.checked ? "on" : "off");
  dialog.showModal();
}

document.getElementById("keys-open")?.addEventListener("click", show);
