// A search over the whole log, on the server. Of the numbers of matches one stretch is kept, from line `first` to `last`;
// others are asked for when they are needed.
import { count } from "../common.js";

// As many as the server sends at a time.
const MOST = 10_000;
// After the last key, ms.
const PAUSE = 300;

// How many of `numbers`, which are in order, are at most `n`.
export function upTo(numbers, n) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] > n) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Matches that wait for their number cannot be gone to: they count once they have it.
const numbered = (found) => (found.numbers.length < MOST ? found.skipped + found.numbers.length : found.total);

export class Search {
  // `ask(parameters, path)` asks the server; `told()` when there is more to tell.
  constructor(ask, told) {
    this.ask = ask;
    this.told = told;
    this.turn = 0;
    this.stop();
  }

  stop() {
    this.turn += 1;
    this.query = undefined;
    this.total = 0;
    this.searched = 0;
    this.ofLines = 0;
    this.keep([], 1, 0, 0);
  }

  // `before`: matches before the first of `numbers`; undefined where nobody knows.
  keep(numbers, first, last, before) {
    Object.assign(this, { numbers, first, last, before });
  }

  get complete() {
    return this.searched >= this.ofLines;
  }

  async start(query) {
    this.stop();
    this.query = query;
    await this.goOn();
  }

  // Look at what was not searched yet, new lines too.
  async goOn() {
    const { turn } = this;
    for (let from = this.searched + 1; from; ) {
      const found = await this.ask({ ...this.query, from, limit: 0 }, "/search");
      if (turn !== this.turn) return;
      const { numbers, next, ofLines } = found;
      const searched = next ? next - 1 : ofLines;
      if (this.last === from - 1 && this.numbers.length + numbers.length <= MOST) {
        this.keep([...this.numbers, ...numbers], this.first, searched, this.before);
      } else if (from === 1) {
        this.keep(numbers, 1, numbers.at(-1), 0);
      }
      this.total += numbered(found);
      // From the start it may be asked again, where it took no second turn.
      if (from === 1) this.quick = !next;
      Object.assign(this, { searched, ofLines });
      this.told();
      from = next;
    }
  }

  async step(n, back = false) {
    const { turn, query } = this;
    for (;;) {
      const { numbers, first, last } = this;
      const i = back ? upTo(numbers, n - 1) - 1 : upTo(numbers, n);
      const near = n >= first - 1 && n <= last + 1;
      if (near && i >= 0 && i < numbers.length) return numbers[i];
      if (near && (back ? first <= 1 : last >= this.ofLines)) return undefined;
      await (back ? this.earlier(near ? first : n) : this.later(near ? last : n));
      if (turn !== this.turn || query !== this.query) return undefined;
    }
  }

  async later(n) {
    const { turn, before, numbers, last } = this;
    const known = last === n && before !== undefined ? before + numbers.length : undefined;
    // From the start, where that is quick: then it is known how many come before.
    const asked = known === undefined && this.quick ? { after: n } : { from: n + 1 };
    const found = await this.ask({ ...this.query, ...asked, limit: 0 }, "/search");
    if (turn !== this.turn) return;
    const until = found.numbers.length < MOST ? (found.next ? found.next - 1 : found.ofLines) : found.numbers.at(-1);
    this.ofLines = found.ofLines;
    this.keep(found.numbers, n + 1, until, known ?? (asked.after === undefined ? undefined : found.skipped));
  }

  async earlier(n) {
    const { turn, before, first } = this;
    const found = await this.ask({ ...this.query, before: n }, "/search/back");
    if (turn !== this.turn) return;
    let known = found.before === null ? 0 : first === n && before !== undefined ? before - found.numbers.length : undefined;
    if (known === undefined && this.quick) {
      known = (await this.ask({ ...this.query, after: found.before - 1, limit: 0 }, "/search")).skipped;
      if (turn !== this.turn) return;
    }
    this.keep(found.numbers, found.before ?? 1, n - 1, known);
  }

  // "3 of 17" for line `n`, as far as it is known.
  place(n) {
    const i = upTo(this.numbers, n);
    return this.before !== undefined && this.numbers[i - 1] === n ? this.before + i : undefined;
  }
}

export function finder(viewer) {
  const { section, lines } = viewer;
  const form = section.querySelector(".find");
  const field = form.querySelector("input");
  const output = form.querySelector("output");
  const search = new Search((asked, path) => lines.ask(asked, path), tell);
  let typing;
  let asked = "";

  function tell() {
    // Only now: the server took the pattern.
    if (lines.query !== search.query) lines.mark(search.query);
    const { total, complete, searched, ofLines } = search;
    const place = viewer.found === undefined ? undefined : search.place(viewer.found);
    const reached = complete ? "" : `, ${Math.floor((100 * searched) / ofLines)} %`;
    const some = `${place === undefined ? "\u2013" : count(place)} of ${count(total)}${complete ? "" : "+"}`;
    output.textContent = search.query ? (total ? some : complete ? "no match" : "none yet") + reached : "";
  }

  const on = (name) => form.querySelector(`[data-do=${name}]`).ariaPressed === "true";

  async function renew() {
    clearTimeout(typing);
    const q = field.value;
    const query = { q, ...(on("regex") && { regex: true }), ...(on("case") && { case: true }) };
    if (JSON.stringify(query) === asked) return false;
    asked = JSON.stringify(query);
    viewer.found = undefined;
    viewer.say("");
    if (!q) {
      search.stop();
      tell();
      return true;
    }
    output.textContent = "\u2026";
    try {
      await search.start(query);
    } catch (problem) {
      search.stop();
      asked = "";
      tell();
      throw problem;
    }
    return true;
  }

  async function go(back) {
    try {
      const fresh = await renew();
      if (!search.query) return;
      // A new search begins with what is in view.
      const from = viewer.current(back);
      let n = await search.step(from, back);
      if (n === undefined && !back && search.searched < lines.total && search.complete) {
        await search.goOn();
        n = await search.step(from, back);
      }
      if (n === undefined && search.total) {
        n = await search.step(back ? Math.max(lines.total, search.ofLines) + 1 : 0, back);
        if (!fresh && n !== undefined) viewer.say(back ? "From the end again" : "From the beginning again");
      } else viewer.say("");
      if (n !== undefined) await viewer.goTo([n, n], n);
      tell();
    } catch (problem) {
      viewer.say(problem.message);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(false);
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    if (button.dataset.do === "back") return go(true);
    button.ariaPressed = !on(button.dataset.do);
    if (field.value) go(false);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      go(true);
    }
    if (event.key === "Escape") {
      event.preventDefault();
      field.value = "";
      renew();
      viewer.box.focus();
    }
  });
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => renew().catch((problem) => viewer.say(problem.message)), PAUSE);
  });
}
