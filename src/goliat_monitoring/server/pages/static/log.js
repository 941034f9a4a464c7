// The log of one run: newest lines at once, older on demand, live at the end. Never more than MOST nodes.
import { clock, tellAll } from "./times.js";

const CHUNK = 1000;
const MOST = 2000;
const LONG = 2000;
// So many lines before the last may still be repeated, and count on.
const OPEN = 8;
// What would reorder or hide text is shown by its code point; the server does the same in pages.
const ODD = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const shown = (text) => text.replace(ODD, (c) => `\u2039U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);

const box = document.getElementById("log");
const list = box.querySelector("ol");
const run = box.dataset.run;
const earlier = document.getElementById("log-earlier");
const fresh = document.getElementById("log-fresh");
const follow = document.getElementById("log-follow");
const wrap = document.getElementById("log-wrap");
const range = document.getElementById("log-range");
const empty = document.getElementById("log-empty");

const numbered = () => list.querySelectorAll("li[id]");
const number = (node) => Number(node.id.slice(1));
const first = () => (list.querySelector("li[id]") ? number(list.querySelector("li[id]")) : 0);
const last = () => {
  const nodes = numbered();
  return nodes.length ? number(nodes[nodes.length - 1]) : 0;
};
// All lines, those included that still wait for their number.
let total = Number(box.dataset.total);
let seen = total;
// Whether the list holds the newest line.
let whole = true;
let following = false;
let busy = Promise.resolve();
let due = false;
let moving = false;

function row(line) {
  const item = document.createElement("li");
  const mark = document.createElement("i");
  if (line.n === null) {
    item.className = "window";
    mark.textContent = "\u2026";
    mark.title = "Waits for its neighbours before it gets its number";
  } else {
    item.id = `L${line.n}`;
    mark.textContent = line.n;
  }
  item.classList.add(line.level);
  const time = document.createElement("time");
  time.dateTime = line.time;
  time.dataset.as = "clock";
  time.textContent = clock(new Date(line.time));
  const text = document.createElement("span");
  const whole = shown(line.text);
  text.textContent = whole.slice(0, LONG);
  item.append(mark, time, text);
  if (whole.length > LONG) {
    const more = document.createElement("button");
    more.className = "quiet";
    more.textContent = `${whole.length - LONG} more characters`;
    more.addEventListener("click", () => {
      text.textContent = whole;
      more.remove();
    });
    item.append(more);
  }
  repeated(item, line);
  return item;
}

// How often the line came, if more than once.
function repeated(item, line) {
  if (!(line.count > 1)) return;
  let mark = item.querySelector("b");
  if (!mark) {
    mark = document.createElement("b");
    item.append(mark);
  }
  mark.textContent = `repeated ${line.count.toLocaleString("en").replaceAll(",", "\u202f")} times`;
  const last = line.lastText === undefined ? "" : `: ${shown(line.lastText).slice(0, LONG)}`;
  mark.title = `last at ${clock(new Date(line.lastTime))}${last}`;
}

async function fetchLines(after, limit) {
  const answer = await fetch(`/api/runs/${encodeURIComponent(run)}/log?after=${after}&limit=${limit}`);
  if (!answer.ok) throw new Error(`log: ${answer.status}`);
  const page = await answer.json();
  total = page.total;
  return page.lines;
}

// Whether `lines`, asked for after line `after`, reach the end of the log.
function reachesEnd(lines, after) {
  const waiting = lines.filter((line) => line.n === null).length;
  const numbers = lines.length - waiting;
  return (numbers ? lines[numbers - 1].n : after) + waiting >= total;
}

function tell() {
  const from = first();
  const unseen = total - seen;
  empty.hidden = list.childElementCount > 0;
  earlier.hidden = from <= 1;
  range.textContent = from ? `lines ${from}\u2013${last()} of ${total}` : total ? `${total} lines` : "";
  follow.setAttribute("aria-pressed", String(following));
  fresh.hidden = following || (unseen <= 0 && whole);
  fresh.textContent = unseen > 0 ? `\u2193 ${unseen} new line${unseen === 1 ? "" : "s"}` : "\u2193 Newest lines";
}

// Scrolling of our own must not be taken for the reader's.
function scrollTo(top) {
  const before = box.scrollTop;
  box.scrollTop = top;
  moving = box.scrollTop !== before;
}

const toEnd = () => scrollTo(box.scrollHeight);

function letGo() {
  if (!following) return;
  following = false;
  tell();
}

// One at a time, in the order they were asked for.
const soon = (work) => (busy = busy.then(work).catch((problem) => console.warn(problem.message)));

async function newest() {
  await fetchLines(total, 1);
  const after = Math.max(0, total - CHUNK);
  const lines = await fetchLines(after, CHUNK);
  list.replaceChildren(...lines.map(row));
  whole = reachesEnd(lines, after);
  following = true;
  await grow();
}

async function grow() {
  due = false;
  if (!following && (!whole || list.childElementCount >= MOST)) {
    // The end is not in the list, or would push out what is being read: only count.
    await fetchLines(total, 1);
    whole = whole && seen === total;
    return tell();
  }
  do {
    const after = last();
    const found = await fetchLines(Math.max(0, after - OPEN), CHUNK);
    const lines = found.filter((line) => line.n === null || line.n > after);
    for (const line of found) {
      const known = line.n !== null && line.n <= after ? document.getElementById(`L${line.n}`) : null;
      if (known) repeated(known, line);
    }
    list.querySelectorAll(".window").forEach((node) => node.remove());
    list.append(...lines.map(row));
    whole = reachesEnd(lines, after);
    while (following && list.childElementCount > MOST) list.firstElementChild.remove();
  } while (!whole && following);
  if (following) {
    seen = total;
    toEnd();
  }
  tell();
}

async function older() {
  const from = first();
  const after = Math.max(0, from - 1 - CHUNK);
  const lines = (await fetchLines(after, from - 1 - after)).filter((line) => line.n !== null && line.n < from);
  const oldest = list.querySelector("li[id]");
  following = false;
  list.prepend(...lines.map(row));
  // What was asked for is seen: it ends where the view ends.
  scrollTo(oldest.offsetTop - box.clientHeight + oldest.offsetHeight);
  while (list.childElementCount > MOST) {
    list.lastElementChild.remove();
    whole = false;
  }
  tell();
}

async function goTo(hash) {
  const wanted = /^#L(\d+)$/.exec(hash);
  if (!wanted) return false;
  const n = Math.min(Number(wanted[1]), total);
  if (!document.getElementById(`L${n}`)) {
    const after = Math.max(0, n - CHUNK / 2);
    const lines = await fetchLines(after, CHUNK);
    list.replaceChildren(...lines.map(row));
    whole = reachesEnd(lines, after);
  }
  following = false;
  list.querySelectorAll(".here").forEach((node) => node.classList.remove("here"));
  const node = document.getElementById(`L${n}`);
  node?.classList.add("here");
  node?.scrollIntoView({ block: "center" });
  tell();
  return true;
}

box.addEventListener("scroll", () => {
  if (moving) {
    moving = false;
    return;
  }
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
  if (!atEnd) return letGo();
  if (!following && whole) {
    following = true;
    seen = total;
    tell();
  }
});
// A wheel or a key lets go at once, also while the view is being moved to the end.
box.addEventListener("wheel", (event) => event.deltaY < 0 && letGo(), { passive: true });
document.addEventListener("selectionchange", () => {
  const chosen = document.getSelection();
  if (chosen && !chosen.isCollapsed && box.contains(chosen.anchorNode)) letGo();
});
follow.addEventListener("click", () => (following ? letGo() : soon(newest)));
fresh.addEventListener("click", () => soon(newest));
earlier.addEventListener("click", () => soon(older));
wrap.addEventListener("click", () => {
  const on = box.classList.toggle("wrap");
  wrap.setAttribute("aria-pressed", String(on));
  if (following) toEnd();
});
const arrived = () => {
  if (due) return;
  due = true;
  soon(grow);
};
document.body.addEventListener("sse:log", arrived);
document.body.addEventListener("sse:refresh", arrived);
// Numbers are no links: a thousand stops for the keyboard would bar the way past the log.
list.addEventListener("click", (event) => {
  const item = event.target.closest("li[id] > i")?.parentElement;
  if (item) location.hash = item.id;
});
addEventListener("hashchange", () => soon(() => goTo(location.hash)));

if (matchMedia("(max-width: 599px)").matches) wrap.click();
tellAll(box);
following = !location.hash;
tell();
if (following) toEnd();
soon(async () => {
  if (!(await goTo(location.hash))) {
    // What came between the server's page and this moment.
    await grow();
  }
});
