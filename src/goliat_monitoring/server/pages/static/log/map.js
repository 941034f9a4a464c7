// Beside the list: where in the log its warnings and errors are, and which part of it is in view.
import { set } from "../common.js";

const PARTS = 300;
const PACE = 10_000;

function rect(name, y, height) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  set(node, { class: name, width: "100%", y, height });
  return node;
}

export function map(viewer) {
  const { lines } = viewer;
  const svg = viewer.part("map");
  const view = rect("view", 0, 0);
  let parts = [];
  let total = 0;
  let timer;
  let known = -1;

  async function look() {
    timer = undefined;
    known = lines.total;
    let found;
    try {
      found = await lines.ask({ parts: PARTS }, "/levels");
    } catch {
      known = -1;
      return;
    }
    parts = found.parts;
    total = parts.reduce((sum, part) => sum + part.lines, 0);
    viewer.section.dispatchEvent(new CustomEvent("levels", { detail: found }));
    const bars = [];
    for (const { firstLine, lines: many, levels } of parts) {
      const name = levels.error || levels.fatal ? "error" : levels.warning ? "warning" : "";
      if (!name) continue;
      const y = (1000 * (firstLine - 1)) / total;
      bars.push(rect(name, y, Math.max((1000 * many) / total, 5)));
    }
    svg.setAttribute("viewBox", "0 0 10 1000");
    svg.replaceChildren(...bars, view);
    show();
  }

  function show() {
    const [first, last] = viewer.list.inView.map((at) => viewer.numberAt(at) ?? lines.matching);
    if (!total) return;
    set(view, { y: Math.min((1000 * (first - 1)) / total, 990), height: Math.max((1000 * (last - first + 1)) / total, 10) });
  }

  svg.addEventListener("click", async (event) => {
    const { top, height } = svg.getBoundingClientRect();
    const n = 1 + ((event.clientY - top) / height) * total;
    const part = parts.findLast((one) => one.firstLine <= n);
    if (!part) return;
    const level = part.levels.error || part.levels.fatal ? "error,fatal" : part.levels.warning ? "warning" : "";
    const to = level ? await lines.next(level, part.firstLine - 1).catch(() => undefined) : undefined;
    viewer.goTo([to ?? Math.round(n), to ?? Math.round(n)]);
  });
  viewer.watchers.push(() => {
    show();
    if (lines.total !== known && timer === undefined) timer = setTimeout(look, known < 0 ? 0 : PACE);
  });
}
