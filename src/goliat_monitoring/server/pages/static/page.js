// Small duties of every page: swaps, tints, menus, commands to be copied, the theme.
import "./live.js";
import "./keys.js";
import "./order.js";
import { refresh } from "./actions.js";
import { copy, kept } from "./common.js";
import { absolute } from "./times.js";

const last = new WeakMap();
let states = new Map();
let open = [];

function letGo() {
  if (!getSelection().isCollapsed) return;
  document.removeEventListener("selectionchange", letGo);
  refresh();
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (!target.hasAttribute("hx-get") || xhr.status !== 200) return;
  const asking = target.querySelector("dialog[open]");
  const marked = getSelection();
  // A question that is being answered stays; what is newer comes when it is closed.
  if (asking) asking.addEventListener("close", refresh, { once: true });
  // What is marked to be copied stays until it is let go.
  else if (!marked.isCollapsed && target.contains(marked.anchorNode)) document.addEventListener("selectionchange", letGo);
  // What is the same stays untouched, and so do focus and selection in it.
  else if (last.get(target) !== xhr.responseText) {
    last.set(target, xhr.responseText);
    open = [...target.querySelectorAll("details[id][open]")].map((node) => node.id);
    states = new Map([...target.querySelectorAll("[id][data-state]")].map((node) => [node.id, node.dataset.state]));
    return;
  }
  event.detail.shouldSwap = false;
});

document.addEventListener("htmx:afterSwap", (event) => {
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const node of event.detail.target.querySelectorAll("[id][data-state]")) {
    if (states.has(node.id) && states.get(node.id) !== node.dataset.state) {
      node.classList.add("changed");
      setTimeout(() => node.classList.remove("changed"), 1000);
    }
  }
  tabs(event.detail.target);
});

// What is cut is whole under the pointer.
document.addEventListener("pointerover", ({ target }) => {
  const node = target.closest?.(".clip, .cut, .which bdi, .short");
  if (node && !node.title && node.scrollWidth > node.clientWidth) node.title = node.textContent;
});

// A menu closes at other clicks, and behind what is chosen in it: the dialog gives the focus back to it.
function closeMenus({ target }) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    const inside = menu.contains(target);
    if (inside && !target.closest("[data-dialog]")) continue;
    menu.open = false;
    if (inside) menu.querySelector("summary").focus();
  }
}
document.addEventListener("click", closeMenus, true);

// Commands come as one block per shell; the choice is kept.
let shell;
function tabs(within) {
  shell ??= kept("shell") ?? (navigator.userAgent.includes("Windows") ? "powershell" : "bash");
  for (const group of within.querySelectorAll(".shells")) {
    for (const block of group.querySelectorAll("[data-shell]")) block.hidden = block.dataset.shell !== shell;
    for (const button of group.querySelectorAll("[data-choose]")) button.ariaPressed = button.dataset.choose === shell;
  }
}

document.addEventListener("click", async (event) => {
  const node = event.target.closest("[data-choose], [data-copy]");
  if (!node) return;
  if (node.dataset.choose) {
    shell = node.dataset.choose;
    kept("shell", shell);
    tabs(document);
  } else {
    const code = node.closest(".command").querySelector("code");
    const form = node.closest("[data-join]")?.querySelector("form");
    // No command without its token.
    if (form && code.textContent.includes("ONE_TIME_TOKEN")) {
      form.requestSubmit();
      await new Promise((made) => form.addEventListener("done", made, { once: true }));
    }
    await copy(code.textContent);
    node.textContent = "Copied";
    setTimeout(() => (node.textContent = "Copy"), 2000);
  }
});

tabs(document);

// The tab that is open may lie outside of a narrow strip.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// A fresh token goes into the command that is copied.
document.addEventListener("done", (event) => {
  const join = event.target.closest("[data-join]");
  if (!join) return;
  const { token, expiresAt } = event.detail;
  for (const code of join.querySelectorAll("pre code")) {
    code.dataset.text ??= code.textContent;
    code.textContent = code.dataset.text.replace("ONE_TIME_TOKEN", token);
  }
  join.querySelector("form span").textContent =
    `The command holds a token for one machine, valid until ${absolute(new Date(expiresAt))}. It is shown this once.`;
});

const theme = document.getElementById("theme");
const root = document.documentElement;
const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
function show(chosen) {
  root.dataset.theme = chosen ?? "";
  theme.ariaLabel = `Use the ${dark() ? "light" : "dark"} theme`;
}
show(kept("theme"));
theme.addEventListener("click", () => {
  show(dark() ? "light" : "dark");
  kept("theme", root.dataset.theme);
});
addEventListener("storage", (event) => event.key === "theme" && show(event.newValue));
