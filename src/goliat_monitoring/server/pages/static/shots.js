// The chosen screenshot, large, with a slider through those of its tab.
import { send } from "./actions.js";
import { absolute, clock } from "./times.js";

const section = document.getElementById("screenshots");
const viewer = section.querySelector(".viewer");
let run;
let tab;
let pictures = [];
let at = 0;
let asked = 0;
let loadedAt = 0;
const REST = 15_000;

const [name, slider, time, image] = ["b", "input", "time", "img"].map((kind) => viewer.querySelector(kind));

function show(place) {
  at = Math.min(Math.max(place, 0), pictures.length - 1);
  const one = pictures[at];
  slider.max = pictures.length - 1;
  slider.value = at;
  const date = new Date(one.receivedAt);
  time.dateTime = one.receivedAt;
  time.title = absolute(date);
  time.textContent = slider.ariaValueText = `${clock(date)}, ${at + 1} of ${pictures.length}`;
  image.src = one.url;
  image.alt = `GOLIAT's tab ${tab} at ${clock(date)}`;
}

const mark = () => {
  for (const figure of section.querySelectorAll("figure")) figure.ariaCurrent = !viewer.hidden && figure.dataset.tab === tab ? "true" : null;
};

async function load(keep) {
  const mine = ++asked;
  loadedAt = performance.now();
  const found = await send("GET", `/api/runs/${encodeURIComponent(run)}/screenshots?tab=${encodeURIComponent(tab)}`);
  if (mine !== asked) return;
  const newest = at >= pictures.length - 1;
  const time = pictures[at]?.receivedAt;
  pictures = found;
  if (!pictures.length) return;
  // Another tab is shown as it was at the same time; whoever looks at the newest goes on with the newest.
  const later = pictures.findIndex((one) => one.receivedAt >= time);
  show(keep && !newest && later >= 0 ? later : pictures.length - 1);
}

section.addEventListener("click", (event) => {
  const link = event.target.closest("figure a");
  const step = event.target.closest("[data-step]");
  if (step) return show(at + Number(step.dataset.step));
  if (event.target.closest("[data-shut]")) {
    viewer.hidden = true;
    return mark();
  }
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const figure = link.closest("figure");
  tab = figure.dataset.tab;
  run = figure.parentElement.dataset.run;
  name.textContent = tab.replaceAll("_", " ");
  const keep = !viewer.hidden;
  viewer.hidden = false;
  mark();
  load(keep).then(() => viewer.scrollIntoView({ block: "nearest" })).catch((problem) => (time.textContent = problem.message));
});
slider.addEventListener("input", () => show(Number(slider.value)));
document.addEventListener("htmx:afterSwap", (event) => {
  if (!section.contains(event.detail.target)) return;
  mark();
  if (!viewer.hidden && performance.now() - loadedAt > REST) load(true).catch(() => {});
});
