// The pages of a run and of a worker: sections as tabs, keys between tries, and the turn to the next run.
import { refresh } from "./actions.js";
import { bind } from "./keys.js";

// Without this the sections stand one under the other and the links lead to them. The chosen one is kept in the address;
// what is hidden fetches nothing.
const nav = document.querySelector("nav.tabs");
const links = [...nav.querySelectorAll("a")];
const panels = links.map((link) => document.getElementById(link.hash.slice(1)));

function choose(hash, initial) {
  const place = links.findIndex((link) => link.hash === hash);
  // Another place in the page, such as a line of the log: the tab stays.
  if (place < 0 && hash && !initial) return;
  links.forEach((link, i) => {
    const chosen = i === Math.max(place, 0);
    link.ariaCurrent = chosen ? "true" : null;
    if (panels[i].hidden === !chosen) return;
    panels[i].hidden = !chosen;
    if (chosen && !initial) {
      for (const node of [panels[i], ...panels[i].querySelectorAll("[hx-get]")]) node.dispatchEvent(new CustomEvent("shown"));
    }
  });
}

nav.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  if (location.hash !== link.hash) history.pushState(null, "", link.hash);
  choose(link.hash);
});
const follow = () => choose(location.hash);
addEventListener("popstate", follow);
addEventListener("hashchange", follow);
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.closest(".part[hidden]")) event.preventDefault();
});
choose(location.hash, true);

for (const [key, rel, says] of [["[", "prev", "Earlier try"], ["]", "next", "Later try"]]) {
  bind(key, says, () => document.querySelector(`a[rel=${rel}]`)?.click());
}

// Log and plots of a worker's page belong to one run; when the next begins the page turns to it.
const replica = document.querySelector(".replica");
const worker = location.pathname.startsWith("/workers/");
document.addEventListener("htmx:afterSwap", (event) => {
  if (!worker || event.detail.target.id !== "live") return;
  const now = event.detail.target.querySelector(".run-panel")?.dataset.run;
  if (now === replica?.dataset.run) return;
  const asking = document.querySelector("dialog[open]");
  if (asking) asking.addEventListener("close", refresh, { once: true });
  else location.reload();
});
