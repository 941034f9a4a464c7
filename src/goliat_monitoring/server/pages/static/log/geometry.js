// Where rows stand, without a document. A place is { row, offset }: the row at the top and its pixels above the view.
// Rows that wrap and were not measured yet have the average height. Browsers cap how high a page may be: beyond LONGEST,
// or with guessed heights, the scrollbar tells the share of rows, and small movements are taken as pixels.
export const LONGEST = 15_000_000;
// Heights that are kept.
const MOST = 5000;

export class Geometry {
  constructor(line) {
    this.line = line;
    this.total = 0;
    this.view = 0;
    this.wrap = false;
    // Pixels of the whole list on the scrollbar, as they were last told to it.
    this.length = 0;
    this.forget();
  }

  forget() {
    this.heights = new Map();
    this.sum = 0;
  }

  get average() {
    return this.heights.size ? this.sum / this.heights.size : this.line;
  }

  height(row) {
    return this.wrap ? this.heights.get(row) ?? this.average : this.line;
  }

  measured(row, height) {
    const before = this.heights.get(row);
    if (before === height) return;
    this.sum += height - (before ?? 0);
    this.heights.set(row, height);
    if (this.heights.size <= MOST) return;
    const [oldest, gone] = this.heights.entries().next().value;
    this.heights.delete(oldest);
    this.sum -= gone;
  }

  fit() {
    this.length = Math.min(Math.ceil(this.total * (this.wrap ? this.average : this.line)), LONGEST);
    return this.length;
  }

  get most() {
    return Math.max(0, this.length - this.view);
  }

  // Whether each pixel of the scrollbar is a pixel of the list.
  get exact() {
    return !this.wrap && this.total * this.line <= LONGEST;
  }

  // Rows that can stand at the top, by the share of them that is above.
  get reach() {
    return Math.max(0, this.total - this.view / this.average);
  }

  at(top) {
    if (this.exact) return { row: Math.floor(top / this.line), offset: top % this.line };
    if (top >= this.most) return this.end();
    const place = (top / this.most) * this.reach;
    const row = Math.floor(place);
    return { row, offset: (place - row) * this.height(row) };
  }

  top({ row, offset }) {
    if (this.exact) return Math.min(row * this.line + offset, this.most);
    if (!this.reach) return 0;
    const share = (row + offset / this.height(row)) / this.reach;
    return Math.min(share, 1) * this.most;
  }

  // The place some pixels further down, or up, within the list.
  move({ row, offset }, pixels) {
    offset += pixels;
    while (offset < 0 && row > 0) offset += this.height(--row);
    while (offset >= this.height(row) && row < this.total - 1) offset -= this.height(row++);
    return row === 0 && offset < 0 ? { row: 0, offset: 0 } : { row, offset };
  }

  end() {
    if (!this.total) return { row: 0, offset: 0 };
    return this.move({ row: this.total - 1, offset: this.height(this.total - 1) }, -this.view);
  }

  // `place`, or the end where the view would reach beyond it.
  within(place) {
    const end = this.end();
    return place.row > end.row || (place.row === end.row && place.offset > end.offset) ? end : place;
  }

  last({ row, offset }) {
    let below = this.view + offset - this.height(row);
    while (below > 0 && row < this.total - 1) below -= this.height(++row);
    return row;
  }
}
