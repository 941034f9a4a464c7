// One chart as SVG, and as a table. Sizes are attributes and colours are classes: it follows the theme, and prints.
import { made, set } from "../common.js";
import { absolute, ahead, clock, span } from "../times.js";
import { apart, moments, path, ticks } from "./scale.js";

// Around the field, px: the same in all charts, which share their axis of time. On the right are the names of lines.
const [TOP, BOTTOM, LEFT, RIGHT] = [8, 22, 56, 40];
// A letter is about so wide, px.
const LETTER = 6;
// Of more samples some at even distances are rows of the table.
const ROWS = 120;

const brief = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format;

const text = (x, y, words, anchor = "middle") => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`;

export class Chart {
  // `figure`: see templates/charts.html, which says what is drawn.
  constructor(figure, samples) {
    Object.assign(this, { figure, samples });
    const part = (kind) => figure.querySelector(`.plot ${kind}`);
    [this.svg, this.ground, this.field, this.choice, this.cursor, this.note] = ["svg", "g", ".field", "rect", "line", "p"].map(part);
    this.plot = figure.querySelector(".plot");
    this.height = Number(this.svg.getAttribute("height"));
    [this.time, ...this.said] = figure.querySelector("output").children;
    // Of each line its name among the samples, its label, colour and dashes.
    this.lines = this.said.map((node) => ({ ...node.dataset, node }));
    this.unit = figure.dataset.unit;
    figure.chart = this;
  }

  written(value) {
    if (typeof value !== "number") return "–";
    if (this.unit === "span") return span(value);
    return (this.unit === " %" ? Math.floor(value) : brief(value)) + this.unit;
  }

  // The place in the field of a time, and the time at a place in the plot, px.
  x(at) {
    return ((at - this.bounds[0]) / (this.bounds[1] - this.bounds[0])) * this.width;
  }

  timeAt(pixels) {
    const share = Math.min(Math.max((pixels - LEFT) / this.width, 0), 1);
    return this.bounds[0] + share * (this.bounds[1] - this.bounds[0]);
  }

  draw(bounds) {
    const all = Math.max(this.plot.clientWidth, 200);
    const width = all - LEFT - RIGHT;
    const height = this.height - TOP - BOTTOM;
    Object.assign(this, { bounds, width, tall: height });
    set(this.svg, { width: all, viewBox: `0 0 ${all} ${this.height}` });
    set(this.field, { x: LEFT, y: TOP, width, height });
    const seen = this.samples.within(bounds);
    this.marks = this.ticks(seen);
    const drawn = this.lines.map((line) => ({ ...line, parts: this.parts(line, seen) }));
    const paths = drawn.map(({ colour, dash, parts }) => `<path class="${colour}" stroke-dasharray="${dash}" d="${path(parts)}"/>`);
    this.ground.innerHTML = `<g transform="translate(${LEFT} ${TOP})">${this.axes()}
      <svg width="${width}" height="${height}">${this.gaps()}${paths.join("")}</svg>${this.names(drawn)}</g>`;
    const none = !this.lines.some(({ name }) => this.samples.columns[name]);
    this.note.textContent = none ? this.figure.dataset.empty : "";
  }

  y(value) {
    return this.tall * (1 - value / this.marks[4]);
  }

  ticks([first, last]) {
    if (this.unit === " %") return ticks(100);
    const values = this.lines.flatMap(({ name }) => this.samples.columns[name]?.slice(first, last + 1) ?? []);
    return ticks(values.reduce((top, value) => Math.max(top, value), 0), this.unit === "span");
  }

  // The points of a line, a new list after each hole.
  parts({ name }, [first, last]) {
    const { columns, times } = this.samples;
    const parts = [];
    let before;
    for (let i = first; i <= last; i += 1) {
      const value = columns[name]?.[i];
      if (typeof value !== "number") continue;
      if (before === undefined || this.samples.isHole(before, i)) parts.push([]);
      parts.at(-1).push([this.x(times[i]), this.y(value)]);
      before = i;
    }
    return parts;
  }

  axes() {
    const { bounds, marks, tall, width } = this;
    const beside = marks.map((mark) => text(-6, this.y(mark) + 4, this.written(mark).replace(/ 0 \w+$/, ""), "end"));
    const lines = marks.map((mark) => `M0 ${Math.round(this.y(mark)) + 0.5}h${width}`);
    const most = Math.max(1, Math.floor(width / 80));
    const below = moments(bounds, most, ahead(new Date(bounds[0] * 1000))).map((at) => {
      const date = new Date(at * 1000);
      // A day begins with its date.
      const time = clock(date) === "00:00:00" ? absolute(date).slice(5, 10) : clock(date).slice(0, bounds[1] - bounds[0] < 60 * most ? 8 : 5);
      return text(this.x(at), tall + 17, time);
    });
    return `<path class="grid" d="${lines.join("")}"/>${[...beside, ...below].join("")}`;
  }

  // Where samples are missing it says so, and for how long.
  gaps() {
    return this.samples.gaps.map(([from, to]) => {
      const [x, width, words] = [this.x(from), this.x(to) - this.x(from), ["no data", span(to - from)]];
      const said = words.map((word, i) => text(x + width / 2, this.tall / 2 + 14 * i, word)).join("");
      const fits = words.every((word) => word.length * LETTER < width);
      return `<rect class="gap" x="${x}" width="${width}" height="100%"><title>${words.join(" ")}</title></rect>${fits ? said : ""}`;
    }).join("");
  }

  // Where lines are several each carries its name at its end.
  names(drawn) {
    const ends = drawn.filter(({ parts }) => parts.length && drawn.length > 1);
    const height = ({ parts }) => parts.at(-1).at(-1)[1];
    ends.sort((a, b) => height(a) - height(b));
    const heights = apart(ends.map(height), 12, 6, this.tall);
    return ends.map(({ label, colour }, i) => `<g class="${colour}">${text(this.width + 4, heights[i] + 4, label, "start")}</g>`).join("");
  }

  // The values at a time, or the newest.
  point(at) {
    const { times, columns, gaps } = this.samples;
    const pointed = at !== undefined;
    const i = pointed ? this.samples.nearest(at) : times.length - 1;
    const hole = pointed && gaps.find(([from, to]) => from < at && at < to);
    const date = new Date((hole ? at : times[i]) * 1000);
    const when = pointed && times.length ? (this.bounds[1] - this.bounds[0] > 86400 ? absolute : clock)(date) : "";
    this.time.textContent = hole ? `${when} no data ${span(hole[1] - hole[0])}` : when;
    for (const { name, node } of this.lines) node.lastChild.textContent = this.written(hole ? undefined : columns[name]?.[i]);
    const x = pointed ? this.x(at) : -9;
    set(this.cursor, { x1: x, x2: x });
    const said = [this.time, ...this.said].map((node) => node.textContent).join(" ");
    set(this.plot, { "aria-valuenow": Math.max(i, 0), "aria-valuemax": Math.max(times.length - 1, 0), "aria-valuetext": this.note.textContent || said });
  }

  // Opens the table, or closes it.
  toggle(button) {
    const { values } = this;
    set(button, { "aria-expanded": !values });
    this.values = values ? values.remove() : made("div", "", "values");
    if (values) return;
    set(this.values, { role: "region", tabindex: 0, "aria-label": `Values of ${this.figure.dataset.title}` });
    this.figure.append(this.values);
    this.fill();
  }

  // Newest first.
  fill() {
    const { times, columns } = this.samples;
    const row = (kind, texts) => {
      const node = made("tr");
      node.append(...texts.map((text, i) => (i ? made(kind, text, "num") : made("th", text))));
      return node;
    };
    const every = Math.ceil(times.length / ROWS);
    const rows = times.map((_, i) => i).reverse().filter((_, i) => i % every === 0);
    const cells = (i) => [absolute(new Date(times[i] * 1000)), ...this.lines.map(({ name }) => this.written(columns[name]?.[i]))];
    const table = made("table");
    table.createTHead().append(row("th", ["Time", ...this.lines.map(({ label }) => label)]));
    table.createTBody().append(...rows.map((i) => row("td", cells(i))));
    this.values?.replaceChildren(table);
  }
}
