// From samples to pixels, without a document: round ticks, and lines with no more points than can be told apart.
const DAY = 86400;
const ROUND = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];
const roundAbove = (seconds) => ROUND.find((it) => it >= seconds) ?? Math.ceil(seconds / DAY) * DAY;

// Zero and four ticks above it, the last of them no less than `most`.
export function ticks(most, time) {
  const least = Math.max(most, time ? 60 : 1) / 4;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = time ? roundAbove(least) : power * [1, 2, 2.5, 5, 10].find((it) => it * power >= least);
  return [0, 1, 2, 3, 4].map((i) => i * step);
}

// Round times of day in a span of seconds, `most` at most. `ahead`: of the clock on the wall, seconds.
export function moments([from, to], most, ahead) {
  const step = roundAbove((to - from) / most);
  const found = [];
  for (let at = Math.ceil((from + ahead) / step) * step - ahead; at <= to; at += step) found.push(at);
  return found;
}

// Of the points [x, y] in one column of pixels the first, the lowest, the highest and the last.
const thinned = (points) =>
  [...Map.groupBy(points, ([x]) => Math.floor(x)).values()].flatMap((column) => {
    const heights = column.map(([, y]) => y);
    const ends = [Math.min(...heights), Math.max(...heights)].map((y) => heights.indexOf(y)).sort((a, b) => a - b);
    return [...new Set([0, ...ends, column.length - 1])].map((i) => column[i]);
  });

// Lines of points, one after the other. A point alone between two holes is a dash, or it would not be seen.
export const path = (lines) =>
  lines
    .map((points) => {
      const places = thinned(points).map((point) => point.map((it) => it.toFixed(1)).join(" "));
      return `M${places.join("L")}${points.length < 2 ? "m-2 0h4" : ""}`;
    })
    .join("");

// Heights, in order, that are at least `gap` apart and between `top` and `bottom`: those that would meet move away.
export function apart(heights, gap, top, bottom) {
  const moved = [];
  heights.forEach((y, i) => moved.push(Math.max(y, i ? moved[i - 1] + gap : top)));
  for (let i = moved.length - 1; i >= 0; i -= 1) moved[i] = Math.min(moved[i], i < moved.length - 1 ? moved[i + 1] - gap : bottom);
  return moved;
}
