// A list with nodes for the rows in view and some around them.
import { Geometry } from "./geometry.js";

const AROUND = 12;
// While text is selected its rows stay, up to so many.
const SELECTED = 1500;
// Where the scrollbar tells shares, movements by wheel, key or finger of up to so many views are taken as pixels, and
// those that follow at once too.
const NEAR = 2;
const PUSH = 400;
const IDLE = 150;

export class List {
  // `asks`: `make(row)` gives the node of a row, `current(node, row)` whether it still shows what is to be seen.
  constructor(box, asks) {
    Object.assign(this, asks, { box, nodes: new Map(), place: { row: 0, offset: 0 }, top: 0, pushed: -PUSH, wide: 0 });
    this.rows = box.querySelector(".rows");
    this.ol = box.querySelector("ol");
    this.geometry = new Geometry(this.lineHeight());
    this.geometry.view = box.clientHeight;
    box.addEventListener("scroll", () => this.scrolled());
    for (const kind of ["wheel", "touchmove", "keydown"]) {
      box.addEventListener(kind, () => (this.pushed = performance.now()), { passive: true });
    }
    box.addEventListener("keydown", (event) => this.jump(event));
    this.width = box.clientWidth;
    new ResizeObserver(() => this.resized()).observe(box);
  }

  lineHeight() {
    return parseFloat(getComputedStyle(this.box).lineHeight) || 20;
  }

  get atEnd() {
    const { geometry, place } = this;
    const end = geometry.end();
    return place.row > end.row || (place.row === end.row && place.offset > end.offset - 4);
  }

  get inView() {
    return [this.place.row, this.geometry.last(this.place)];
  }

  setTotal(total) {
    this.geometry.total = total;
    this.place = this.geometry.within(this.place);
  }

  setWrap(on) {
    const { geometry } = this;
    geometry.wrap = on;
    geometry.forget();
    this.place = geometry.within({ row: this.place.row, offset: 0 });
    this.ol.style.minWidth = "";
    this.wide = 0;
    this.stay();
  }

  resized() {
    const { geometry, box } = this;
    const end = this.atEnd;
    geometry.view = box.clientHeight;
    geometry.line = this.lineHeight();
    if (box.clientWidth !== this.width) geometry.forget();
    this.width = box.clientWidth;
    if (end) this.toEnd();
    else this.stay();
  }

  scrolled() {
    const { box, geometry } = this;
    const top = box.scrollTop;
    const by = top - this.top;
    if (Math.abs(by) < 1) return;
    this.top = top;
    this.aimed = undefined;
    const now = performance.now();
    const pixels = !geometry.exact && Math.abs(by) <= NEAR * geometry.view && now - this.pushed < PUSH;
    if (pixels) this.pushed = now;
    const place = geometry.within(pixels ? geometry.move(this.place, by) : geometry.at(top));
    const last = top >= box.scrollHeight - box.clientHeight - 1;
    // The scrollbar may reach its end before the list does: it is put right then and there.
    if (pixels && (top <= 0 || last)) this.show(place);
    else if (last) this.toEnd();
    else {
      this.place = place;
      this.draw();
    }
    this.settleSoon();
    this.moved(by);
  }

  jump(event) {
    if (event.target !== this.box || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.key === "Home") this.show({ row: 0, offset: 0 });
    else if (event.key === "End") this.toEnd();
    else return;
    event.preventDefault();
    this.moved(event.key === "Home" ? -1 : 1);
  }

  // Rows came or changed: what is read stays where it is, also while it is being scrolled.
  update() {
    const { geometry, box } = this;
    // A movement of which no event told yet is one of the list as it was.
    this.scrolled();
    if (this.aimed > this.pushed) return this.stay();
    this.stretch();
    if (geometry.exact) {
      this.top = box.scrollTop;
      this.place = geometry.within(geometry.at(this.top));
    }
    this.draw();
    this.settleSoon();
  }

  settleSoon() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.settle(), IDLE);
  }

  // The scrollbar to where the place is, once nobody moves it.
  settle() {
    this.scrolled();
    if (!this.geometry.wrap) {
      // The width only grows: a long line that leaves the view must not move what is read.
      this.wide = Math.max(this.wide, this.ol.offsetWidth);
      this.ol.style.minWidth = `${this.wide}px`;
    }
    if (!this.geometry.exact) this.show(this.place);
  }

  show(place) {
    this.place = place;
    this.stretch();
    this.draw();
    this.stretch();
    const top = this.atEnd ? this.geometry.most : this.geometry.top(this.place);
    if (Math.abs(this.box.scrollTop - top) >= 1) this.box.scrollTop = top;
    this.top = this.box.scrollTop;
    this.put();
  }

  toEnd() {
    this.aimed = undefined;
    // Heights are known once the rows are there.
    for (let i = 0; i < 3; i++) {
      const place = this.geometry.end();
      this.show(place);
      const end = this.geometry.end();
      if (end.row === place.row && Math.abs(end.offset - place.offset) < 1) break;
    }
  }

  stay() {
    if (this.aimed > this.pushed) this.toRow(this.target);
    else this.show(this.geometry.within(this.place));
  }

  // And there, until someone moves.
  toRow(row) {
    const { geometry } = this;
    this.target = row;
    this.aimed = performance.now();
    for (let i = 0; i < 2; i++) {
      const above = (geometry.view - geometry.height(row)) / 2;
      this.show(geometry.within(geometry.move({ row, offset: 0 }, -Math.max(above, 0))));
    }
  }

  stretch() {
    const length = `${this.geometry.fit()}px`;
    if (this.rows.style.height !== length) this.rows.style.height = length;
  }

  draw() {
    const { geometry, nodes } = this;
    if (!geometry.total) {
      this.ol.replaceChildren();
      nodes.clear();
      return this.drawn(0, -1);
    }
    for (let i = 0; i < 3; i++) {
      const last = geometry.last(this.place);
      this.fill(Math.max(0, this.place.row - AROUND), Math.min(geometry.total - 1, last + AROUND));
      if (!geometry.wrap) break;
      for (const [row, node] of nodes) geometry.measured(row, node.getBoundingClientRect().height);
      this.place.offset = Math.min(this.place.offset, geometry.height(this.place.row));
      this.place = geometry.within(this.place);
      if (geometry.last(this.place) <= last && this.place.row >= this.first) break;
    }
    this.put();
    this.drawn(this.first, this.until);
  }

  fill(first, until) {
    const { nodes, ol } = this;
    const chosen = this.chosen();
    if (chosen) {
      const from = Math.min(first, chosen[0]);
      const to = Math.max(until, chosen[1]);
      if (to - from <= SELECTED) [first, until] = [from, to];
    }
    for (const [row, node] of nodes) {
      if (row >= first && row <= until && this.current(node, row)) continue;
      node.remove();
      nodes.delete(row);
    }
    let next = ol.firstChild;
    for (let row = first; row <= until; row++) {
      let node = nodes.get(row);
      if (node) {
        next = node.nextSibling;
        continue;
      }
      node = this.make(row);
      node.row = row;
      nodes.set(row, node);
      ol.insertBefore(node, next);
    }
    [this.first, this.until] = [first, until];
  }

  put() {
    let y = this.top - this.place.offset;
    for (let row = this.first; row < this.place.row; row++) y -= this.geometry.height(row);
    this.ol.style.top = `${y}px`;
  }

  chosen() {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed) return undefined;
    const rowOf = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest("li")?.row;
    const ends = [selection.anchorNode, selection.focusNode].filter((node) => this.ol.contains(node)).map(rowOf);
    const rows = ends.filter((row) => row !== undefined);
    return rows.length ? [Math.min(...rows), Math.max(...rows)] : undefined;
  }
}
