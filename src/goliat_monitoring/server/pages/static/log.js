// The log of a run: a list of all its lines of which only those in view exist, live at its end.
import { count, plural } from "./common.js";
import { List } from "./log/list.js";
import { Lines } from "./log/lines.js";
import { row, times } from "./log/row.js";
import { map } from "./log/map.js";
import { finder } from "./log/search.js";
import { tools } from "./log/tools.js";

// "#L120-L140" as [120, 140].
function rangeOf(hash) {
  const found = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash);
  if (!found) return undefined;
  const ends = [Number(found[1]), Number(found[2] ?? found[1])];
  return [Math.max(1, Math.min(...ends)), Math.max(1, ...ends)];
}

class Viewer {
  constructor(section) {
    this.section = section;
    this.box = section.querySelector("#log");
    this.kind = "clock";
    this.following = !rangeOf(location.hash);
    this.seen = 0;
    this.list = new List(this.box, {
      make: (at) => this.node(at),
      current: (node, at) => node.line === this.lines.at(at),
      drawn: (first, last) => this.lines.want(first, last),
      moved: (by) => this.scrolled(by),
    });
    this.lines = new Lines(section.dataset.run, () => this.refresh(), (problem) => this.trouble(problem));
    // Told when there may be something new, and when the view moved.
    this.watchers = [];
  }

  part(name) {
    return this.section.querySelector(`#log-${name}`);
  }

  say(text) {
    this.part("said").textContent = text;
  }

  trouble(problem) {
    if (problem || this.troubled) this.say(problem ? `The log could not be read: ${problem.message}` : "");
    this.troubled = Boolean(problem);
  }

  node(at) {
    const line = this.lines.at(at);
    const n = this.numberAt(at);
    const here = this.range && n >= this.range[0] && n <= this.range[1];
    const node = row(line, { n, kind: this.kind, began: this.began, here, position: at + 1 });
    if (n && n === this.found) node.classList.add("at");
    return node;
  }

  redraw() {
    for (const node of this.list.nodes.values()) node.line = null;
    this.list.draw();
  }

  refresh() {
    const { list, lines } = this;
    list.setTotal(lines.count);
    this.box.querySelector(".first")?.remove();
    if (this.following) list.toEnd();
    else list.update();
    this.tell();
  }

  tell() {
    const { lines, list } = this;
    if (this.following || !this.seen) this.seen = lines.count;
    const unseen = lines.count - this.seen;
    const fresh = this.part("fresh");
    fresh.hidden = this.following || !lines.count || (unseen <= 0 && list.atEnd);
    fresh.textContent = unseen > 0 ? `\u2193 ${plural(unseen, "new line")}` : "\u2193 Newest lines";
    this.part("follow").ariaPressed = this.following;
    const empty = this.part("empty");
    empty.hidden = lines.count > 0;
    if (lines.levels) empty.textContent = "No line of these types.";
    const [first, last] = list.inView.map((at) => this.numberAt(at));
    const all = plural(lines.total, "line");
    const some = lines.levels ? `, ${count(lines.count)} of these types` : "";
    this.part("range").textContent = first && last ? `${count(first)}\u2013${count(last)} of ${all}${some}` : all + some;
    for (const watch of this.watchers) watch();
  }

  numberAt(at) {
    return this.lines.at(at)?.n ?? (this.lines.levels || at >= this.lines.matching ? undefined : at + 1);
  }

  scrolled(by) {
    if (this.list.atEnd) this.follow();
    else if (by < 0) this.letGo();
    this.tell();
  }

  follow() {
    this.following = true;
    this.seen = this.lines.count;
  }

  letGo() {
    if (!this.following) return;
    this.following = false;
    this.tell();
  }

  newest() {
    this.follow();
    this.refresh();
    this.arrived();
  }

  // Something was written. One question at a time; what comes meanwhile is asked for once more.
  async arrived() {
    if (this.asking) return (this.due = true);
    this.asking = true;
    do {
      this.due = false;
      try {
        await this.lines.news();
        this.trouble();
      } catch (problem) {
        this.trouble(problem);
      }
    } while (this.due);
    this.asking = false;
    return undefined;
  }

  // The line from which to look for the next or the one before: the marked one while it is in view.
  current(back) {
    const [from, to] = this.list.inView.map((at) => this.numberAt(at) ?? this.lines.matching);
    const here = this.found ?? this.range?.[0];
    if (here >= from && here <= to) return here;
    return back ? to + 1 : from - 1;
  }

  // To lines `range`, which are marked; all types are shown again if theirs are not.
  async goTo(range, found) {
    const { lines, list } = this;
    this.following = false;
    this.range = range;
    this.found = found;
    const n = Math.min(range[0], lines.total);
    let at = await lines.rowOf(n);
    if (at === undefined && lines.levels) {
      await this.types("");
      this.say("All types are shown again: the line is of another");
      at = await lines.rowOf(n);
    }
    this.following = false;
    if (range[0] > lines.total) this.say(`The log has ${count(lines.total)} lines`);
    list.toRow(at ?? Math.max(0, lines.count - 1));
    this.redraw();
    this.tell();
    this.box.scrollIntoView({ block: "nearest" });
  }

  async types(levels) {
    this.seen = 0;
    this.list.setTotal(0);
    this.list.draw();
    await this.lines.show(levels);
    this.section.dispatchEvent(new CustomEvent("types"));
  }

  async open() {
    try {
      await this.lines.show("");
    } catch (problem) {
      this.trouble(problem);
    }
    await this.fromAddress();
    // What came between the first answer and the first event.
    await this.arrived();
  }

  async fromAddress() {
    const range = rangeOf(location.hash);
    if (range) await this.goTo(range);
  }
}

function listen(viewer) {
  const { box, list } = viewer;
  // A wheel or a key lets go at once, also while the view is being moved to the end.
  box.addEventListener("wheel", (event) => event.deltaY < 0 && viewer.letGo(), { passive: true });
  document.addEventListener("selectionchange", () => list.chosen() && viewer.letGo());
  document.body.addEventListener("sse:log", () => viewer.arrived());
  document.body.addEventListener("sse:refresh", () => viewer.arrived());
  addEventListener("hashchange", () => viewer.fromAddress());
  // The list saw it first.
  new ResizeObserver(() => viewer.tell()).observe(box);
  box.addEventListener("pointerover", (event) => {
    const line = event.target.closest("time")?.closest("li")?.line;
    if (line) event.target.title = times(line);
  });
  // Numbers are no links: a stop for the keyboard on each would bar the way past the log. Keys go on from the
  // marked one in view, or from the top.
  function mark(node, more) {
    const n = Number(node?.id.slice(1));
    if (!n) return;
    const from = more && viewer.range ? viewer.range[0] : n;
    document.getSelection()?.removeAllRanges();
    viewer.range = [Math.min(from, n), Math.max(from, n)];
    viewer.found = undefined;
    viewer.letGo();
    history.pushState(null, "", from === n ? `#L${n}` : `#L${viewer.range.join("-L")}`);
    viewer.redraw();
    viewer.tell();
    list.ol.querySelector(`#L${n}`).scrollIntoView({ block: "nearest" });
    list.scrolled();
  }
  list.ol.addEventListener("click", ({ target, shiftKey }) => target.matches("li > i") && mark(target.parentElement, shiftKey));
  box.addEventListener("keydown", (event) => {
    const more = event.shiftKey;
    if (event.target !== box || event.key !== (more ? "ArrowDown" : "Enter")) return;
    event.preventDefault();
    const [first, last] = list.inView;
    const id = `#L${viewer.range?.[1]}`;
    const row = list.ol.querySelector(id)?.row;
    mark(list.nodes.get(row >= first && row <= last ? row + (more || location.hash.endsWith(id.slice(1))) : first), more);
  });
}

function start() {
  const section = document.querySelector(".logview");
  if (!section) return;
  const viewer = new Viewer(section);
  listen(viewer);
  finder(viewer);
  tools(viewer);
  map(viewer);
  viewer.open();
}
start();
