// Small duties of every page: skip swaps that change nothing, tint what changed state, copy buttons, tabs, dialogs.
import "./times.js";
import "./live.js";

const last = new WeakMap();
let states = new Map();

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (!target.hasAttribute("hx-get") || xhr.status !== 200) return;
  // What is the same stays untouched, and so do focus and selection in it.
  if (last.get(target) === xhr.responseText) {
    event.detail.shouldSwap = false;
    return;
  }
  last.set(target, xhr.responseText);
  states = new Map([...target.querySelectorAll("[id][data-state]")].map((node) => [node.id, node.dataset.state]));
});

document.addEventListener("htmx:afterSwap", (event) => {
  for (const node of event.detail.target.querySelectorAll("[id][data-state]")) {
    if (states.has(node.id) && states.get(node.id) !== node.dataset.state) {
      node.classList.add("changed");
      setTimeout(() => node.classList.remove("changed"), 1000);
    }
  }
  tabs(event.detail.target);
});

// Commands come as one block per shell; the choice is kept.
function tabs(within) {
  let chosen = "bash";
  try {
    chosen = localStorage.getItem("shell") ?? (navigator.userAgent.includes("Windows") ? "powershell" : "bash");
  } catch {
    // storage may be barred
  }
  for (const group of within.querySelectorAll(".shells")) {
    for (const block of group.querySelectorAll("[data-shell]")) block.hidden = block.dataset.shell !== chosen;
    for (const button of group.querySelectorAll("[data-choose]")) {
      button.hidden = false;
      button.setAttribute("aria-pressed", String(button.dataset.choose === chosen));
    }
  }
}

document.addEventListener("click", async (event) => {
  const node = event.target.closest("[data-choose], [data-copy], [data-dialog], [data-close]");
  if (!node) return;
  if (node.dataset.choose) {
    try {
      localStorage.setItem("shell", node.dataset.choose);
    } catch {
      // then it lasts for this click only
    }
    tabs(document);
  } else if (node.dataset.dialog) {
    document.getElementById(node.dataset.dialog).showModal();
  } else if ("close" in node.dataset) {
    node.closest("dialog").close();
  } else {
    const text = node.closest(".command").querySelector("code").textContent;
    await navigator.clipboard.writeText(text);
    node.textContent = "Copied";
    setTimeout(() => (node.textContent = "Copy"), 2000);
  }
});

document.addEventListener("htmx:afterRequest", (event) => {
  const dialog = event.target.closest?.("dialog");
  if (!dialog) return;
  const problem = dialog.querySelector(".problem");
  if (event.detail.successful) {
    problem.textContent = "";
    dialog.close();
    document.body.dispatchEvent(new CustomEvent("sse:refresh"));
    return;
  }
  let text = "the server cannot be reached";
  try {
    const said = JSON.parse(event.detail.xhr.responseText);
    text = [said.error, said.details].filter(Boolean).join(": ");
  } catch {
    // no JSON: keep the general words
  }
  problem.textContent = `Not done: ${text}`;
});

tabs(document);
