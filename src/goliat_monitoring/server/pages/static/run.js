// The pages of a run and of a worker: keys between tries, and the turn to the next run.
import { refresh } from "./actions.js";

// `[` and `]` go to the earlier and the later try.
document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  const rel = { "[": "prev", "]": "next" }[event.key];
  if (rel) document.querySelector(`a[rel=${rel}]`)?.click();
});

// Log and plots of a worker's page belong to one run. When the next one begins, the page turns to it.
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
