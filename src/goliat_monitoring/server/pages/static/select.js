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

function ask({ textContent: verb, dataset: { ask: wish, follows, one, again, hand } }) {
  const what = `${verb} ${plural(chosen.size, "worker")}`;
  const lost = wish === "removed" ? [...chosen.values()].filter((it) => it.run) : [];
  const seconds = lost.map((it) => (serverNow() - Date.parse(it.since)) / 1000);
  part("title").textContent = `${what}?`;
  part("yes").textContent = what;
  part("yes").classList.toggle("go", wish !== "removed");
  part("runs").replaceChildren(...lost.map((it, place) => made("li", `${it.name}: ${it.run}, runs for ${span(seconds[place])}`)));
  let text = chosen.size === 1 ? one : follows;
  if (lost.length) {
    const total = span(seconds.reduce((sum, it) => sum + it, 0));
    const parts = lost.filter((it) => it.part).length;
    text = `${plural(lost.length, "run")} and ${total} of GPU time are lost, except what was uploaded. ${parts ? again : ""}${parts < lost.length ? hand : ""}${text}`;
  }
  part("follows").textContent = text;
  dialog.querySelector(".problem").textContent = "";
  for (const [name, value] of Object.entries({ workers: [...chosen.keys()].join(), wish, force: lost.length > 0 })) form.elements.namedItem(name).value = value;
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
