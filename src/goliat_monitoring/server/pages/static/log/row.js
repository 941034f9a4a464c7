// The node of one line. What a machine wrote becomes text, never markup; of terminal escapes only colours and weights.
import { count, made, plural } from "../common.js";
import { absolute, clock, span } from "../times.js";

const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;
// Of a line that changes its style more often the rest keeps the last one.
const MOST = 200;
const ON = { 1: "bold", 3: "italic", 4: "underline" };
const OFF = { 22: "bold", 23: "italic", 24: "underline" };
const PLAIN = Object.freeze({});

const hex = (...rgb) => `#${rgb.map((part) => (part & 255).toString(16).padStart(2, "0")).join("")}`;

// One of 256: the 16 of the theme by number, the others as a colour.
function ofTable(n) {
  if (!(n >= 0 && n <= 255)) return undefined;
  if (n < 16) return n;
  if (n > 231) return hex(...Array(3).fill(8 + 10 * (n - 232)));
  const level = (step) => (step ? 55 + 40 * step : 0);
  return hex(level(Math.floor((n - 16) / 36)), level(Math.floor((n - 16) / 6) % 6), level((n - 16) % 6));
}

// `style` after the codes of one escape, "1;38;5;208". A colour is a number below 16 or "#rrggbb".
function styled(style, codes) {
  const list = codes.replaceAll("2::", "2:").split(/[;:]/, 64).map(Number);
  let next = { ...style };
  for (let i = 0; i < list.length; i++) {
    const code = list[i];
    const ground = code >= 40 && code < 50 ? "back" : "fore";
    if (code === 0) next = {};
    else if (code in ON) next[ON[code]] = true;
    else if (code in OFF) delete next[OFF[code]];
    else if ((code >= 30 && code < 38) || (code >= 40 && code < 48)) next[ground] = code % 10;
    else if (code >= 90 && code < 98) next.fore = code - 82;
    else if (code >= 100 && code < 108) next.back = code - 92;
    else if (code === 39 || code === 49) delete next[ground];
    else if (code === 38 || code === 48) {
      const kind = list[i + 1];
      const colour = kind === 5 ? ofTable(list[i + 2]) : kind === 2 ? hex(...list.slice(i + 2, i + 5)) : undefined;
      if (colour !== undefined) next[ground] = colour;
      i += kind === 5 ? 2 : kind === 2 ? 4 : 0;
    }
  }
  return next;
}

export function parse(line) {
  if (!line.includes("\x1b")) return [{ text: line, style: PLAIN }];
  const pieces = [];
  let style = PLAIN;
  let text = "";
  let at = 0;
  for (const found of line.matchAll(ESCAPE)) {
    text += line.slice(at, found.index);
    at = found.index + found[0].length;
    if (found[2] !== "m" || pieces.length >= MOST) continue;
    if (text) pieces.push({ text, style });
    text = "";
    style = styled(style, found[1]);
  }
  text += line.slice(at);
  if (text || !pieces.length) pieces.push({ text, style });
  return pieces;
}

// What would reorder or hide text is shown by its code point; the server does the same in pages.
const ODD = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]/gu;
export const shown = (text) =>
  text.replace(ODD, (c) => `\u2039U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u203a`);
const millis = (date) => `${absolute(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
const WAITS = "Waits for its neighbours before it gets its number";

// [{ text, style, marked }]: pieces of a line, cut where a match begins or ends. `marks`: [first, after the last].
export function cut(pieces, marks) {
  if (!marks?.length) return pieces;
  const found = [];
  let at = 0;
  let next = 0;
  for (const { text, style } of pieces) {
    const begin = at;
    const end = begin + text.length;
    while (at < end) {
      while (next < marks.length && marks[next][1] <= at) next += 1;
      const [from, to] = marks[next] ?? [end, end];
      const marked = from <= at;
      const until = Math.min(end, marked ? to : from);
      found.push({ text: text.slice(at - begin, until - begin), style, marked });
      at = until;
    }
  }
  return found;
}

function piece({ text, style, marked }) {
  const styles = Object.entries(style);
  if (!styles.length && !marked) return shown(text);
  const node = made(marked ? "mark" : "span", shown(text));
  for (const [name, value] of styles) {
    node.classList.add(typeof value === "number" ? { fore: "f", back: "g" }[name] + value : name);
    if (typeof value === "string") node.style.setProperty(`--${name}`, value);
  }
  return node;
}

export function written(line, kind, began) {
  const date = new Date(line.time);
  if (kind === "date") return millis(date);
  if (kind !== "start" || !began) return clock(date);
  const seconds = (date - began) / 1000;
  return `${seconds < 0 ? "\u2212" : "+"}${span(Math.abs(seconds))}`;
}

export function times(line) {
  const [wrote, came] = [new Date(line.time), new Date(line.receivedAt)];
  const late = line.late ? "\nCame late: lines written after it already had their numbers" : "";
  return `Written ${millis(wrote)} by the machine's clock\nReceived ${millis(came)} by the server's clock${late}`;
}

function repeated(line) {
  const turn = line.period > 1 ? ` in turn with ${line.period - 1} more` : "";
  const node = made("b", `repeated ${count(line.count)} times${turn}`);
  const last = line.lastText === undefined ? "" : `\nThe last time: ${shown(line.lastText)}`;
  node.title = `First ${millis(new Date(line.time))}, last ${millis(new Date(line.lastTime))}${last}`;
  return node;
}

// `line` undefined: it is not there yet. `n`: its number, where that is known.
export function row(line, { n, kind, began, here, position }) {
  const item = made("li");
  item.line = line;
  item.ariaPosInSet = position;
  item.ariaSetSize = -1;
  const mark = made("i", n ?? "\u2026");
  item.append(mark);
  if (n) item.id = `L${n}`;
  if (line?.n === null) mark.title = WAITS;
  const kinds = [line?.n === null && "window", line ? line.level : "wait", here && "here"];
  item.className = kinds.filter(Boolean).join(" ");
  if (!line) {
    item.append(made("span"));
    return item;
  }
  const time = made("time", written(line, kind, began));
  time.dateTime = line.time;
  const text = made("span");
  text.append(...cut(parse(line.text), line.marks).map(piece));
  item.append(time, text);
  if (line.cut) {
    const more = made("button", plural(line.cut, "more character"), "quiet");
    more.type = "button";
    more.dataset.whole = n;
    item.append(more);
  }
  if (line.count > 1) item.append(repeated(line));
  return item;
}
