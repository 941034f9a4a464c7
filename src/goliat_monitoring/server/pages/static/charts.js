// Charts of a run: what they share, and when they are drawn.
import { send } from "./actions.js";
import { Chart } from "./charts/draw.js";
import { set } from "./common.js";
import { serverNow } from "./times.js";

// New samples are asked for at most this often, ms.
const PACE = 5000;
// The least that is shown, seconds.
const SHORTEST = 60;
// A drag over fewer pixels is a click.
const LEAST = 8;
const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

// The least time that is a hole, in samples, and how far apart samples of each kind usually lie, seconds.
const GAP = 3;
const USUAL = { progress: 20, vitals: 10, forecast: 90 };
// As many points at first; when so many have come together they are asked for again, thinned by the server.
const POINTS = 600;
const MOST = 1800;

// Samples of a kind as columns that grow: all of them once, then only what is newer.
class Samples {
  constructor(run, kind) {
    this.kind = kind;
    this.address = `/api/runs/${encodeURIComponent(run)}/samples?kind=${kind}&points=${POINTS}`;
    this.forget();
  }

  forget() {
    this.times = [];
    this.columns = {};
    this.steps = [];
    // [from, to] of each hole, seconds.
    this.gaps = [];
    this.edge = undefined;
  }

  // Whether something came.
  async more() {
    // Not before another is likely: a forecast comes seldom.
    if (performance.now() - this.asked < USUAL[this.kind] * 200) return false;
    this.asked = performance.now();
    if (this.times.length > MOST) this.forget();
    const since = this.edge === undefined ? "" : `&since=${encodeURIComponent(new Date(this.edge * 1000).toISOString())}`;
    const { times, values, step } = await send("GET", this.address + since);
    // The newest of points that are means may still grow: it is asked for again.
    const first = this.times.findLastIndex((time) => time < (times[0] ?? Infinity)) + 1;
    if (!times.length || (first + times.length === this.times.length && times.at(-1) === this.times.at(-1) && !step)) return false;
    for (const name of new Set([...Object.keys(this.columns), ...Object.keys(values)])) {
      const known = (this.columns[name] ?? this.times.map(() => null)).slice(0, first);
      this.columns[name] = [...known, ...(values[name] ?? times.map(() => null))];
    }
    this.times = [...this.times.slice(0, first), ...times];
    this.steps = [...this.steps.slice(0, first), ...times.map(() => step)];
    this.gaps = this.times.flatMap((time, i) => (i && this.isHole(i - 1, i) ? [[this.times[i - 1], time]] : []));
    this.edge = times.at(-1);
    return true;
  }

  isHole(i, j) {
    const usual = Math.max(this.steps[i], this.steps[j], USUAL[this.kind]);
    return this.times[j] - this.times[i] > GAP * usual;
  }

  // First and last sample of a span of seconds, with the ones beside it: lines go on beyond what is seen.
  within([from, to]) {
    const last = this.times.findIndex((time) => time >= to);
    return [Math.max(this.times.findLastIndex((time) => time <= from), 0), last < 0 ? this.times.length - 1 : last];
  }

  // -1 where there is none.
  nearest(at) {
    const after = this.times.findIndex((time) => time >= at);
    if (after < 1) return after < 0 ? this.times.length - 1 : 0;
    return at - this.times[after - 1] < this.times[after] - at ? after - 1 : after;
  }
}

const box = document.querySelector(".charts");
const live = !box.dataset.until;
const samples = Object.fromEntries(Object.keys(USUAL).map((kind) => [kind, new Samples(box.dataset.run, kind)]));
const charts = [];

// The run from its first sample to its newest, seconds.
function everything() {
  let known = Object.values(samples).flatMap(({ times }) => [...times.slice(0, 1), ...times.slice(-1)]);
  if (!known.length) known = [Date.parse(box.dataset.from) / 1000, (live ? serverNow() : Date.parse(box.dataset.until)) / 1000];
  const from = Math.min(...known);
  return [from, Math.max(...known, from + SHORTEST)];
}

const all = {
  // The moment that is pointed at, and the span where someone zoomed in.
  at: undefined,
  zoomed: undefined,
  point(at) {
    all.at = at;
    charts.forEach((chart) => chart.point(at));
  },
  zoom(range) {
    const [from, to] = everything();
    const inside = range && [Math.max(range[0], from), Math.min(range[1], to)];
    all.zoomed = inside && inside[1] - inside[0] < to - from ? inside : undefined;
    draw();
  },
};

function draw() {
  const bounds = all.zoomed ?? everything();
  charts.forEach((chart) => chart.draw(bounds));
  all.point(all.at);
}

// The pointer and the keys in a chart.
function listen(chart) {
  const { plot, choice, samples } = chart;
  const pixels = (event) => event.clientX - plot.getBoundingClientRect().left;
  let begun;

  function drag(event) {
    const range = [begun, pixels(event)].map((it) => chart.timeAt(it)).sort((a, b) => a - b);
    const [x, end] = range.map((at) => chart.x(at));
    set(choice, { x, width: end - x });
    return end - x < LEAST ? undefined : range;
  }

  function drop() {
    begun = undefined;
    set(choice, { width: 0 });
  }

  plot.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    begun = pixels(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    all.point(chart.timeAt(pixels(event)));
    if (begun !== undefined) drag(event);
  });
  plot.addEventListener("pointerup", (event) => {
    const range = begun !== undefined && drag(event);
    drop();
    if (range) all.zoom(range);
  });
  plot.addEventListener("pointercancel", drop);
  for (const kind of ["pointerleave", "blur"]) plot.addEventListener(kind, () => all.point());
  plot.addEventListener("dblclick", () => all.zoom());

  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const [from, to] = chart.bounds;
    const middle = all.at ?? (from + to) / 2;
    const zoom = { "+": (to - from) / 4, "-": to - from }[key];
    if (STEPS[key]) {
      const last = samples.times.findLastIndex((at) => at <= to);
      const next = Math.max(samples.nearest(all.at ?? to) + STEPS[key], samples.times.findIndex((at) => at >= from));
      all.point(samples.times[Math.min(next, last)]);
    } else if (zoom) all.zoom([middle - zoom, middle + zoom]);
    else if (key === "Escape" && all.zoomed) all.zoom();
    else return;
    event.preventDefault();
  });
}

let busy;
let askedAt = -PACE;
let later;

// What is newer, soon but not too often; nothing while nobody sees it.
function follow() {
  clearTimeout(later);
  if (!charts.length || busy) return;
  const rest = askedAt + PACE - performance.now();
  if (rest > 0) later = setTimeout(follow, rest);
  else if (box.offsetParent) update();
}

async function update() {
  askedAt = performance.now();
  busy = true;
  try {
    const came = await Promise.all(Object.values(samples).map((it) => it.more()));
    if (!came.some(Boolean) && charts[0].bounds) return;
    draw();
    charts.forEach((chart) => chart.fill());
  } catch (problem) {
    console.warn(problem.message);
  } finally {
    busy = false;
  }
}

async function begin() {
  if (charts.length || !box.offsetParent) return;
  for (const figure of box.querySelectorAll(".chart")) {
    const chart = new Chart(figure, samples[figure.dataset.kind]);
    listen(chart);
    const button = figure.querySelector("[data-table]");
    button.addEventListener("click", () => chart.toggle(button));
    charts.push(chart);
  }
  const waits = setTimeout(() => charts.forEach((it) => (it.time.textContent = "Loading…")), 300);
  await update();
  clearTimeout(waits);
  new ResizeObserver(() => box.offsetParent && charts[0].bounds && draw()).observe(box);
  document.addEventListener("zone", draw);
}

box.closest(".part")?.addEventListener("shown", () => begin().then(follow));
if (live) for (const kind of ["run", "worker", "refresh"]) document.body.addEventListener(`sse:${kind}`, follow);
begin();
