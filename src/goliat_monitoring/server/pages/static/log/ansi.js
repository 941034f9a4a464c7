// Terminal escapes of one line as pieces of text with a style. Only colours and weights count, all else is left out.
// Bounded: of a line that changes its style more often than MOST the rest keeps the last style.
const ESCAPE = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g;
const MOST = 200;
const ON = { 1: "bold", 3: "italic", 4: "underline" };
const OFF = { 22: "bold", 23: "italic", 24: "underline" };
const PLAIN = Object.freeze({});

const hex = (...rgb) => `#${rgb.map((part) => (part & 255).toString(16).padStart(2, "0")).join("")}`;

function ofTable(n) {
  if (!(n >= 0 && n <= 255)) return undefined;
  if (n < 16) return n;
  if (n > 231) return hex(...Array(3).fill(8 + 10 * (n - 232)));
  const level = (step) => (step ? 55 + 40 * step : 0);
  return hex(level(Math.floor((n - 16) / 36)), level(Math.floor((n - 16) / 6) % 6), level((n - 16) % 6));
}

// `style` after the codes of one escape, "1;38;5;208". A colour is a number below 16 or "#rrggbb".
export function styled(style, codes) {
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
