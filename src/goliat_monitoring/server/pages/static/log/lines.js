// The lines of one log, by their index among those that are shown: pages fetched as they are needed, few kept.
import { send } from "../actions.js";

const PAGE = 200;
const MOST_PAGES = 50;
const AT_ONCE = 2;
const LONG = 2000;
const NEWEST = 1000;
// More than any window shows.
const NEWS = 64;
// They may come again.
const FOLDING = 8;
const AGAIN = 2000;

const same = (a, b) =>
  a && a.n === b.n && a.count === b.count && a.lastTime === b.lastTime && String(a.marks) === String(b.marks);

export class Lines {
  // `changed()` when there is more to show; `failed(problem)` when lines could not be had, without one when they could again.
  constructor(run, changed, failed) {
    this.address = `/api/runs/${encodeURIComponent(run)}/log`;
    this.changed = changed;
    this.failed = failed;
    this.levels = "";
    this.query = undefined;
    // All lines of the log; those of the chosen levels that have their number; and those that wait for theirs.
    this.total = 0;
    this.matching = 0;
    this.waiting = [];
    this.clear();
  }

  clear() {
    this.pages = new Map();
    this.flying = new Set();
    this.wanted = [];
    this.turn = (this.turn ?? 0) + 1;
  }

  get count() {
    return this.matching + this.waiting.length;
  }

  at(row) {
    if (row >= this.matching) return this.waiting[row - this.matching];
    return this.pages.get(Math.floor(row / PAGE))?.lines[row % PAGE];
  }

  show(levels) {
    this.levels = levels;
    this.matching = 0;
    this.waiting = [];
    this.clear();
    return this.news(NEWEST);
  }

  // Point out what matches `query`, a piece of an address. Lines stay until they are there with their marks.
  mark(query) {
    this.query = query;
    for (const page of this.pages.values()) page.stale = 0;
    this.flying.clear();
    this.changed();
  }

  ask(asked, path = "") {
    return send("GET", `${this.address}${path}?${new URLSearchParams(asked)}`);
  }

  asked(more) {
    const level = this.levels ? { level: this.levels } : {};
    return { raw: true, clip: LONG, count: true, ...level, ...this.query, ...more };
  }

  want(first, last) {
    this.wanted = [];
    for (let no = Math.floor(first / PAGE); no <= Math.floor(last / PAGE); no++) {
      const page = this.pages.get(no);
      if (page) {
        this.pages.delete(no);
        this.pages.set(no, page);
      }
      if (no * PAGE < this.matching && this.missing(no) !== undefined) this.wanted.push(no);
    }
    if (this.wanted.length) this.soon ??= setTimeout(() => this.pump(), 30);
  }

  // The first of a page's lines that is not there, or has not its marks yet; undefined if it is whole.
  missing(no) {
    const page = this.pages.get(no);
    if (!page || page.stale !== undefined) return page?.stale ?? 0;
    const rows = Math.min(PAGE, this.matching - no * PAGE);
    for (let i = 0; i < rows; i++) if (!page.lines[i]) return i;
    return undefined;
  }

  pump() {
    this.soon = undefined;
    for (const no of this.wanted) {
      if (this.flying.size < AT_ONCE && !this.flying.has(no)) this.load(no);
    }
  }

  async load(no) {
    const { turn, query, flying } = this;
    const passed = () => turn !== this.turn || query !== this.query;
    flying.add(no);
    let late = 0;
    try {
      // An answer ends early where lines are very long.
      const from = this.missing(no) ?? 0;
      const answer = await this.ask(this.asked({ skip: no * PAGE + from, limit: PAGE - from }));
      if (passed()) return;
      this.total = Math.max(this.total, answer.total);
      this.put(answer);
      const page = this.pages.get(no);
      if (page?.stale !== undefined) {
        page.stale += answer.lines.length;
        if (page.stale >= Math.min(PAGE, this.matching - no * PAGE)) delete page.stale;
      }
      this.failed();
    } catch (problem) {
      if (passed()) return;
      late = AGAIN;
      this.failed(problem);
    }
    setTimeout(() => {
      if (passed()) return;
      flying.delete(no);
      this.changed();
    }, late);
  }

  put({ lines, index, matching }) {
    this.matching = Math.max(this.matching, matching);
    let row = index;
    for (const line of lines) {
      if (line.n === null) break;
      const no = Math.floor(row / PAGE);
      let page = this.pages.get(no);
      if (!page) this.pages.set(no, (page = { lines: [] }));
      const known = page.lines[row % PAGE];
      // A node is kept as long as its line is the same.
      if (!same(known, line)) page.lines[row % PAGE] = line;
      row += 1;
    }
    for (const no of this.pages.keys()) {
      if (this.pages.size <= MOST_PAGES) break;
      this.pages.delete(no);
    }
  }

  async news(limit = NEWS + this.waiting.length) {
    const { turn } = this;
    const after = Math.max((this.at(this.matching - 1)?.n ?? 0) - FOLDING, 0);
    const answer = await this.ask(this.asked({ tail: true, after, limit }));
    if (turn !== this.turn) return undefined;
    const { lines } = answer;
    // More wait for their number than were asked for.
    if (lines.length === limit && lines[0].n === null && limit < 10_000) return this.news(10_000);
    this.total = answer.total;
    this.put(answer);
    const waiting = lines.filter((line) => line.n === null);
    this.waiting = waiting.map((line, i) => (this.waiting[i]?.text === line.text ? this.waiting[i] : line));
    return this.changed();
  }

  // The row of line `n`; undefined where it is not among the lines shown.
  async rowOf(n) {
    if (!this.levels) return n <= this.matching ? n - 1 : undefined;
    const { lines, index } = await this.ask({ level: this.levels, count: true, after: n - 1, limit: 1, clip: 1 });
    return lines[0]?.n === n ? index : undefined;
  }

  // The number of the next line of `level` after line `n`, or of the last before it.
  async next(level, n, back = false) {
    const { lines } = await this.ask({ level, limit: 1, clip: 1, ...(back ? { before: n } : { after: n }) });
    return lines[0]?.n ?? undefined;
  }
}
