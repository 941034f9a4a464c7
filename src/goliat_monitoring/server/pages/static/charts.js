// Charts of a run, drawn by uPlot from samples: one time axis and one cursor for all, each with a table of its values.
import { Samples } from "./samples.js";
import { absolute, clock, serverNow, span } from "./times.js";

const LIBRARY = new URL("./vendor/uPlot-1.6.32.iife.min.js", import.meta.url).href;
// New samples are asked for at most this often, ms.
const PACE = 5000;
const ROWS = 120;
// Room for the names of lines at their ends, px.
const NAMES = 40;
const whole = (value) => `${Math.round(value)} %`;
const rate = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} MB/s`;
const count = (value) => `${Math.round(value)}/s`;
const DOTS = [2, 3];
const DASHES = [7, 4];
// Of each chart: kind of sample; its lines as [name, label, colour, dashes, how it is written, axis].
const CHARTS = {
  progress: { kind: "progress", top: 100, lines: [["percent", "GOLIAT says", "ok", [], whole]] },
  left: { kind: "progress", time: true, lines: [["eta_seconds", "Left", "run", [], span]] },
  load: {
    kind: "vitals",
    top: 100,
    lines: [
      ["cpu", "CPU", "cpu", [], whole],
      ["ram", "RAM", "ram", DASHES, whole],
      ["gpu", "GPU", "gpu", [], whole],
      ["vram", "VRAM", "vram", DOTS, whole],
    ],
  },
  disk: {
    kind: "vitals",
    unit: "MB/s",
    lines: [
      ["disk_read", "Read", "read", [], rate],
      ["disk_write", "Write", "write", DASHES, rate],
      ["page_faults", "Faults", "faults", DOTS, count, "right"],
    ],
  },
};

const box = document.querySelector(".charts");
const HEIGHT = box.classList.contains("narrow") ? 116 : 160;
const charts = [];
const live = !box.dataset.until;
const samples = Object.fromEntries(["progress", "vitals"].map((kind) => [kind, new Samples(box.dataset.run, kind)]));
let zoomed;

// What all charts show, seconds: the run from its first sample, or where someone zoomed in.
function bounds() {
  if (zoomed) return zoomed;
  const firsts = Object.values(samples).flatMap((it) => it.times.slice(0, 1));
  const lasts = Object.values(samples).flatMap((it) => it.times.slice(-1));
  const from = firsts.length ? Math.min(...firsts) : Date.parse(box.dataset.from) / 1000;
  const end = lasts.length ? Math.max(...lasts) : (live ? serverNow() : Date.parse(box.dataset.until)) / 1000;
  return [from, Math.max(end, from + 60)];
}

// Four ticks at most, from zero up to a round number above `most`.
export function ticks(most, time = false) {
  const least = Math.max(most, time ? 60 : 1) / 4;
  const steps = time ? [15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400] : [];
  const power = 10 ** Math.floor(Math.log10(least));
  const step = steps.find((it) => it >= least) ?? [1, 2, 2.5, 5, 10].map((it) => it * power).find((it) => it >= least);
  return [0, 1, 2, 3, 4].map((i) => i * step);
}

function when(u, splits) {
  const [from, to] = [u.scales.x.min, u.scales.x.max];
  return splits.map((at) => {
    const date = new Date(at * 1000);
    if (to - from > 172_800) return absolute(date).slice(5, 10);
    return clock(date).slice(0, to - from < 600 ? 8 : 5);
  });
}

class Chart {
  constructor(figure) {
    this.figure = figure;
    this.spec = CHARTS[figure.dataset.chart];
    this.samples = samples[this.spec.kind];
    this.plot = figure.appendChild(document.createElement("div"));
    this.plot.className = "plot";
    this.time = document.createElement("span");
    // Colours are those of the style sheet, and change with the theme.
    [this.axis, this.grid] = ["off", "grid"].map((name) => {
      const span = figure.appendChild(document.createElement("span"));
      span.className = name;
      return span;
    });
    this.said = this.spec.lines.map(([, label, colour, dash]) => {
      const part = document.createElement("span");
      part.innerHTML = `<svg class="key ${colour}" aria-hidden="true"><path d="M0 4H20" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="${dash.join(" ")}"/></svg>${label} <b></b>`;
      return part;
    });
    this.keys = this.said.map((part) => part.firstChild);
    figure.querySelector("output").append(this.time, ...this.said);
    figure.querySelector("[data-table]").addEventListener("click", (event) => this.table(event.currentTarget));
  }

  get lines() {
    return this.spec.lines.filter(([name, , , , , axis]) => !axis || this.samples.columns[name]);
  }

  draw() {
    const data = this.samples.plotted(this.lines.map(([name]) => name));
    if (this.uplot && this.uplot.series.length !== data.length) {
      this.uplot.destroy();
      this.uplot = undefined;
    }
    if (!this.uplot) this.uplot = new window.uPlot(this.options(), data, this.plot);
    else this.uplot.setData(data);
    this.figure.uplot = this.uplot;
    this.say(null);
    this.empty(data[0].length === 0);
    const table = this.figure.querySelector(".values");
    if (table) this.fill(table);
  }

  empty(yes) {
    let note = this.plot.querySelector("p");
    if (!yes) return note?.remove();
    if (!note) note = this.plot.appendChild(document.createElement("p"));
    note.textContent = this.figure.dataset.empty;
  }

  options() {
    const { spec, lines } = this;
    const style = getComputedStyle(this.figure);
    const font = `12px ${style.fontFamily}`;
    const stroke = (i) => () => getComputedStyle(this.keys[i]).color;
    const quiet = () => getComputedStyle(this.axis).color;
    const line = () => getComputedStyle(this.grid).color;
    const range = (scale) => (u, least, most) => {
      const marks = spec.top && scale === "y" ? [0, spec.top] : ticks(most ?? 0, spec.time);
      return [0, marks.at(-1)];
    };
    const marks = (scale) => (u) => (spec.top ? [0, 25, 50, 75, 100] : ticks(u.scales[scale].max, spec.time));
    const right = lines.some(([, , , , , axis]) => axis);
    const side = { stroke: quiet, font, size: 48, gap: 4, ticks: { show: false }, grid: { stroke: line, width: 1 } };
    return {
      width: Math.max(this.plot.clientWidth, 100),
      height: HEIGHT,
      padding: [8, right ? 0 : NAMES, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "run", scales: ["x", null] },
        y: false,
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => zoom(undefined) },
      },
      scales: { x: { time: true, range: bounds }, y: { range: range("y") }, ...(right && { right: { range: range("right") } }) },
      axes: [
        { stroke: quiet, font, size: 24, gap: 4, space: 80, ticks: { show: false }, grid: { show: false }, values: when },
        { ...side, splits: marks("y"), values: (u, splits) => splits.map((it) => this.written(it)) },
        ...(right ? [{ ...side, side: 1, size: side.size + NAMES, gap: NAMES, scale: "right", grid: { show: false }, splits: marks("right"), values: (u, splits) => splits.map(count) }] : []),
      ],
      series: [
        {},
        ...lines.map(([, label, , dash, , axis], i) => ({
          label,
          scale: axis ?? "y",
          stroke: stroke(i),
          width: 1.5,
          dash,
          // A single sample between two gaps is a point, or it would not be seen.
          points: { show: (u, k, from, to) => alone(u.data[k]), size: 4 },
        })),
      ],
      hooks: {
        draw: [(u) => this.gaps(u, quiet(), font), (u) => this.names(u, font)],
        setCursor: [(u) => this.say(u.cursor.idx)],
        setSelect: [(u) => {
          if (u.select.width < 8) return;
          zoom([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    };
  }

  written(value) {
    const { spec } = this;
    if (spec.top) return `${value} %`;
    if (!spec.time) return String(Number(value.toPrecision(3)));
    return value < 60 ? `${value} s` : value < 3600 ? `${value / 60} min` : `${value / 3600} h`;
  }

  // Where samples are missing it says so, and for how long.
  gaps(u, colour, font) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = colour;
    ctx.font = font.replace("12px", `${12 * devicePixelRatio}px`);
    ctx.textAlign = "center";
    for (const [from, to] of this.samples.gaps) {
      const [left, right] = [from, to].map((at) => u.valToPos(at, "x", true));
      const text = `no data ${span(to - from)}`;
      ctx.globalAlpha = 0.12;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
      ctx.globalAlpha = 1;
      if (ctx.measureText(text).width < right - left - 4) ctx.fillText(text, (left + right) / 2, bbox.top + bbox.height / 2);
    }
    ctx.restore();
  }

  // Each line carries its name at its end; names that would meet move apart.
  names(u, font) {
    const { ctx, bbox } = u;
    const placed = [];
    this.lines.forEach(([, label, , , , axis], i) => {
      const value = u.data[i + 1].findLast((it) => it !== null);
      if (value === undefined || this.lines.length < 2) return;
      placed.push({ label, i, at: u.valToPos(value, axis ?? "y", true) });
    });
    placed.sort((a, b) => a.at - b.at);
    const apart = 12 * devicePixelRatio;
    placed.forEach((it, k) => (it.at = Math.max(it.at, k ? placed[k - 1].at + apart : bbox.top + apart / 2)));
    // The lowest stays inside: those above it give way.
    placed.reverse().forEach((it, k) => (it.at = Math.min(it.at, k ? placed[k - 1].at - apart : bbox.top + bbox.height - apart / 2)));
    ctx.save();
    ctx.font = font.replace("12px", `${11 * devicePixelRatio}px`);
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    for (const { label, i, at } of placed) {
      ctx.fillStyle = getComputedStyle(this.keys[i]).color;
      ctx.fillText(label, bbox.left + bbox.width + 4 * devicePixelRatio, at);
    }
    ctx.restore();
  }

  // The values under the cursor, or the newest.
  say(place) {
    const { data } = this.uplot;
    const at = place ?? data[0].length - 1;
    const hole = this.samples.gaps.find(([from, to]) => from < data[0][at] && data[0][at] < to);
    const time = data[0].length && place !== null ? clock(new Date(data[0][at] * 1000)) : "";
    this.time.textContent = hole ? `${time} no data ${span(hole[1] - hole[0])}` : time;
    this.said.forEach((part, i) => {
      const value = data[i + 1]?.[at];
      part.lastChild.textContent = typeof value === "number" ? this.spec.lines[i][4](value) : "–";
      part.hidden = i >= this.lines.length;
    });
  }

  table(button) {
    const shown = this.figure.querySelector(".values");
    button.setAttribute("aria-expanded", String(!shown));
    if (shown) return shown.remove();
    const table = this.figure.appendChild(document.createElement("div"));
    table.className = "values";
    table.tabIndex = 0;
    table.setAttribute("role", "region");
    table.setAttribute("aria-label", `Values of ${this.figure.querySelector("figcaption b").textContent}`);
    this.fill(table);
  }

  // Newest first, of many some at even distances.
  fill(box) {
    const { times, columns } = this.samples;
    const every = Math.ceil(times.length / ROWS);
    const head = ["Time", ...this.lines.map(([, label]) => label)];
    const rows = times.map((_, i) => i).reverse().filter((_, i) => i % every === 0);
    const cells = (kind, texts) => {
      const row = document.createElement("tr");
      row.append(...texts.map((text, i) => {
        const cell = document.createElement(i ? kind : "th");
        cell.textContent = text;
        if (i) cell.className = "num";
        return cell;
      }));
      return row;
    };
    const table = document.createElement("table");
    table.createTHead().append(cells("th", head));
    table.createTBody().append(...rows.map((i) => cells("td", [
      absolute(new Date(times[i] * 1000)),
      ...this.lines.map(([name, , , , write]) => (typeof columns[name]?.[i] === "number" ? write(columns[name][i]) : "–")),
    ])));
    box.replaceChildren(table);
  }
}

const alone = (values) => values.some((value, i) => value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);

function zoom(range) {
  zoomed = range;
  for (const { uplot } of charts) uplot?.setData(uplot.data);
}

let busy;
let askedAt = 0;
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
  try {
    busy = Promise.all(Object.values(samples).map((it) => it.more()));
    const came = await busy;
    if (came.some(Boolean) || charts.some((it) => !it.uplot)) charts.forEach((it) => it.draw());
  } catch (problem) {
    console.warn(problem.message);
  } finally {
    busy = undefined;
  }
}

function library() {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = done;
    script.onerror = () => failed(new Error("uPlot could not be loaded"));
    document.head.append(script);
  });
}

async function begin() {
  if (charts.length || !box.offsetParent) return;
  const figures = [...box.querySelectorAll(".chart")];
  charts.push(...figures.map((figure) => new Chart(figure)));
  const waits = setTimeout(() => charts.forEach((it) => (it.time.textContent = "Loading…")), 300);
  await library();
  await update();
  clearTimeout(waits);
  new ResizeObserver(() => {
    for (const { uplot, plot } of charts) {
      if (uplot && plot.clientWidth && plot.clientWidth !== uplot.width) uplot.setSize({ width: plot.clientWidth, height: HEIGHT });
    }
  }).observe(box);
  const again = () => charts.forEach((it) => it.uplot?.redraw(false));
  new MutationObserver(again).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

box.closest(".part")?.addEventListener("shown", () => begin().then(follow));
if (live) for (const kind of ["run", "worker", "refresh"]) document.body.addEventListener(`sse:${kind}`, follow);
begin();
