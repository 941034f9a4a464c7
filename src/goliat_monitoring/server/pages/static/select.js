// A selection of workers: kept while rows come and go, and acted upon together after a question that names the count.
import { refresh, send } from "./actions.js";
import { serverNow, span } from "./times.js";

const bar = document.getElementById("selection");
const dialog = document.getElementById("ask-workers");
const chosen = new Map();
let last;

const boxes = () => [...document.querySelectorAll("#fleet input[id^='pick-']:not(#pick-all)")];
const workers = (n) => `${n} worker${n === 1 ? "" : "s"}`;
const idOf = (box) => box.id.slice("pick-".length);
const part = (name) => document.getElementById(`ask-workers-${name}`);

function take(box) {
  if (!box.checked) return chosen.delete(idOf(box));
  const name = box.getAttribute("aria-label").replace(/^Select /, "");
  chosen.set(idOf(box), { name, run: box.dataset.run, since: box.dataset.since });
}

function show() {
  for (const box of boxes()) {
    box.checked = chosen.has(idOf(box));
    // What it runs may be another by now.
    if (box.checked) take(box);
  }
  const all = document.getElementById("pick-all");
  if (all) {
    const here = boxes();
    all.checked = here.length > 0 && here.every((box) => box.checked);
    all.indeterminate = !all.checked && here.some((box) => box.checked);
  }
  bar.hidden = !chosen.size;
  document.getElementById("selection-count").textContent = chosen.size ? `${workers(chosen.size)} selected` : "";
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("#fleet input[type=checkbox]");
  if (!box) return;
  const all = boxes();
  if (box.id === "pick-all") {
    for (const one of all) {
      one.checked = box.checked;
      take(one);
    }
  } else {
    // With Shift all from the one before to this one.
    const from = event.shiftKey ? all.findIndex((one) => idOf(one) === last) : -1;
    const to = all.indexOf(box);
    const range = from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1);
    for (const one of range) {
      one.checked = box.checked;
      take(one);
    }
    last = idOf(box);
  }
  show();
});

function clear() {
  chosen.clear();
  show();
}

// What each wish is called, and what follows from it.
const DEEDS = {
  active: { verb: "Resume", follows: "They take work again." },
  paused: { verb: "Pause", follows: "They claim nothing new. What they run goes on." },
  draining: { verb: "Drain", follows: "They finish what they run, claim nothing new, and can then be taken away." },
  removed: { verb: "Delete", follows: "They leave the list, and their agents' credentials end. Finished work and results stay." },
};

function ask(wish) {
  const { verb, follows } = DEEDS[wish];
  const count = workers(chosen.size);
  const runs = [...chosen.values()].filter((it) => it.run);
  part("title").textContent = `${verb} ${count}?`;
  part("yes").textContent = `${verb} ${count}`;
  part("yes").classList.toggle("solid", wish === "removed");
  part("runs").replaceChildren();
  let text = follows;
  if (wish === "removed" && runs.length) {
    const seconds = runs.map((it) => (serverNow() - Date.parse(it.since)) / 1000);
    const total = span(seconds.reduce((sum, it) => sum + it, 0));
    text = `${runs.length} of them hold${runs.length === 1 ? "s" : ""} a run that is lost: ${total} of GPU time, except what was uploaded. Its assignment goes to another worker. ${follows}`;
    runs.forEach((it, place) => {
      const item = document.createElement("li");
      item.textContent = `${it.name}: ${it.run}, runs for ${span(seconds[place])}`;
      part("runs").append(item);
    });
  }
  part("follows").textContent = text;
  dialog.querySelector(".problem").textContent = "";
  dialog.dataset.wish = wish;
  dialog.showModal();
}

part("yes").addEventListener("click", async () => {
  const wish = dialog.dataset.wish;
  part("yes").disabled = true;
  try {
    const force = wish === "removed" && [...chosen.values()].some((it) => it.run);
    await send("POST", "/api/workers/wish", { workers: [...chosen.keys()], wish, force });
    dialog.close();
    clear();
    refresh();
  } catch (trouble) {
    dialog.querySelector(".problem").textContent = `Not done: ${trouble.message}`;
  } finally {
    part("yes").disabled = false;
  }
});

bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.ask) ask(button.dataset.ask);
  else if (button) clear();
});
document.addEventListener("keys:escape", clear);
document.addEventListener("htmx:afterSwap", show);
show();
