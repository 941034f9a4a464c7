// A selection of workers, kept while rows come and go.
import { made, plural } from "./common.js";
import { serverNow, span } from "./times.js";

const bar = document.getElementById("selection");
const dialog = document.getElementById("ask-workers");
const form = dialog.querySelector("form");
const chosen = new Map();
let last;

const boxes = () => [...document.querySelectorAll("#fleet input[id^='pick-']:not(#pick-all)")];
const idOf = (box) => box.id.slice("pick-".length);
const part = (name) => document.getElementById(`ask-workers-${name}`);

function take(box) {
  if (!box.checked) return chosen.delete(idOf(box));
  const name = box.ariaLabel.replace(/^Select /, "");
  chosen.set(idOf(box), { name, ...box.dataset });
}

function show() {
  for (const box of boxes()) {
    box.checked = chosen.has(idOf(box));
    if (box.checked) take(box);
  }
  const all = document.getElementById("pick-all");
  if (all) {
    const here = boxes();
    all.checked = here.length > 0 && here.every((box) => box.checked);
    all.indeterminate = !all.checked && here.some((box) => box.checked);
  }
  bar.hidden = !chosen.size;
  document.getElementById("selection-count").textContent = chosen.size ? `${plural(chosen.size, "worker")} selected` : "";
}

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("#fleet input[type=checkbox]");
  if (!box) return;
  const all = boxes();
  let picked = all;
  if (box.id !== "pick-all") {
    // With Shift all from the one before to this one.
    const from = event.shiftKey ? all.findIndex((one) => idOf(one) === last) : -1;
    const to = all.indexOf(box);
    picked = from < 0 ? [box] : all.slice(Math.min(from, to), Math.max(from, to) + 1);
    last = idOf(box);
  }
  for (const one of picked) {
    one.checked = box.checked;
    take(one);
  }
  show();
});

function clear() {
  chosen.clear();
  show();
}

function ask({ textContent: verb, dataset: { ask: wish, follows } }) {
  const count = plural(chosen.size, "worker");
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
    part("runs").append(...runs.map((it, place) => made("li", `${it.name}: ${it.run}, runs for ${span(seconds[place])}`)));
  }
  part("follows").textContent = text;
  dialog.querySelector(".problem").textContent = "";
  const force = wish === "removed" && runs.length > 0;
  for (const [name, value] of Object.entries({ workers: [...chosen.keys()].join(), wish, force })) form.elements.namedItem(name).value = value;
  dialog.showModal();
}

form.addEventListener("done", clear);
bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.ask) ask(button);
  else if (button) clear();
});
document.addEventListener("keys:escape", clear);
document.addEventListener("htmx:afterSwap", show);
show();
