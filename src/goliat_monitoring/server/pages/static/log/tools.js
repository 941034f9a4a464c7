// The tools above the list: types, problems, errors, time, wrap, copies, whole lines, and their keys.
import { copy, count, kept, made, plural } from "../common.js";
import { bind } from "../keys.js";
import { absolute } from "../times.js";
import { shown } from "./row.js";

const PROBLEMS = "warning,error,fatal";
const ERRORS = "error,fatal";
const MOST_COPIED = 10_000;

export function tools(viewer) {
  const { section, lines, list, box } = viewer;
  const menu = viewer.part("levels");
  const boxes = [...menu.querySelectorAll("input")];
  const problems = viewer.part("problems");
  const whole = section.querySelector("#log-whole");
  const wrapping = section.querySelector("[data-do=wrap]");
  const tried = (work) => work.catch((problem) => viewer.say(problem.message));

  const chosen = () => boxes.filter((one) => one.checked).map((one) => one.value).join(",");
  const tick = (names) => boxes.forEach((one) => (one.checked = names.includes(one.value)));
  function types(levels) {
    tick(levels.split(","));
    if (levels === lines.levels) return;
    viewer.follow();
    tried(viewer.types(levels));
  }
  section.addEventListener("types", () => {
    const names = lines.levels ? lines.levels.split(",") : [];
    tick(names);
    viewer.part("chosen").textContent = names.length ? `: ${names.length > 2 ? names.length : names.join(", ")}` : "";
  });
  menu.addEventListener("change", () => types(chosen()));
  section.addEventListener("levels", ({ detail }) => {
    for (const one of boxes) {
      const many = { ...detail.sources, ...detail.levels }[one.value] ?? 0;
      one.closest("label").querySelector("output").textContent = count(many);
      one.closest("label").hidden = !many && !one.checked;
    }
    const { errors, warnings } = detail;
    problems.hidden = !(errors + warnings);
    problems.querySelector("summary").textContent = `${plural(errors, "error")} and ${plural(warnings, "warning")}, by text`;
  });

  async function listProblems() {
    const said = await lines.ask({}, "/problems");
    const items = said.problems.map((one) => {
      const item = made("li");
      const level = made("span", `${one.level} \u00d7 ${count(one.count)}`, one.level);
      const text = made("bdi", shown(one.text));
      const link = (n, words, time) => {
        const node = made("a", `${words} ${count(n)}`);
        node.href = `#L${n}`;
        node.title = absolute(new Date(time));
        return node;
      };
      item.append(level, text, link(one.firstLine, "line", one.firstTime));
      if (one.lastLine !== one.firstLine) item.append(link(one.lastLine, "last", one.lastTime));
      return item;
    });
    problems.querySelector("ol").replaceChildren(...items);
    if (said.groups > items.length) viewer.say(`${count(said.groups - items.length)} more kinds of problems`);
  }
  problems.addEventListener("toggle", () => problems.open && tried(listProblems()));

  async function error(back) {
    const n = await lines.next(ERRORS, Math.max(viewer.current(back), back ? 1 : 0), back);
    if (n === undefined) return viewer.say(back ? "No error before this" : "No error after this");
    viewer.say("");
    return viewer.goTo([n, n]);
  }

  function wrap(on) {
    box.classList.toggle("wrap", on);
    wrapping.ariaPressed = on;
    list.setWrap(on);
    if (viewer.following) list.toEnd();
  }

  async function copyRange() {
    const [from, to] = viewer.range;
    const found = [];
    for (let at = from - 1; at < to && found.length < MOST_COPIED; ) {
      const said = await lines.ask({ after: at, before: to + 1, limit: Math.min(to - at, 1000) });
      if (!said.lines.length) break;
      found.push(...said.lines.map((line) => shown(line.text)));
      at = said.lines.at(-1).n;
    }
    await copy(found.join("\n"));
    viewer.say(`Copied ${plural(found.length, "line")}`);
  }

  async function showWhole(n) {
    const [line] = (await lines.ask({ after: n - 1, limit: 1 })).lines;
    whole.querySelector("h2").textContent = `Line ${count(line.n)}, ${plural(line.text.length, "character")}`;
    whole.querySelector("pre").textContent = shown(line.text);
    whole.showModal();
  }

  const deeds = {
    follow: () => (viewer.following ? viewer.letGo() : viewer.newest()),
    newest: () => viewer.newest(),
    wrap: () => {
      wrap(!list.geometry.wrap);
      kept("log-wrap", list.geometry.wrap ? "on" : "off");
    },
    problems: () => types(PROBLEMS),
    all: () => types(""),
    "next-error": () => tried(error()),
    "last-error": () => tried(error(true)),
    copy: () => tried(copyRange()),
    "copy-whole": () => tried(copy(whole.querySelector("pre").textContent)),
  };
  section.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.whole) tried(showWhole(Number(button.dataset.whole)));
    else deeds[button?.dataset.do]?.();
  });

  const time = viewer.part("time");
  async function show(kind) {
    if (kind === "start" && !viewer.began) {
      const [line] = (await lines.ask({ limit: 1, clip: 1 })).lines;
      viewer.began = line && new Date(line.time);
    }
    viewer.kind = time.value = kind;
    viewer.redraw();
  }
  time.addEventListener("change", () => {
    kept("log-time", time.value);
    tried(show(time.value));
  });

  viewer.watchers.push(() => {
    const button = viewer.part("copy");
    button.hidden = !viewer.range;
    if (!viewer.range) return;
    const many = Math.min(viewer.range[1] - viewer.range[0] + 1, MOST_COPIED);
    button.textContent = many === 1 ? "Copy line" : `Copy ${count(many)} lines`;
  });

  bind("f", "Follow the log, or let go", deeds.follow);
  bind("e", "Next error", deeds["next-error"]);
  bind("E", "Error before", deeds["last-error"]);
  bind("Enter", "Mark a line of the log, then the next; Shift+\u2193: more", () => false);
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "f" || event.shiftKey || event.altKey) return;
    const field = section.querySelector(".find input");
    // The second time is the browser's own search.
    if (document.activeElement === field) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  document.addEventListener("keys:escape", () => {
    viewer.range = viewer.found = undefined;
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    viewer.redraw();
    viewer.tell();
  });

  const narrow = matchMedia("(max-width: 599px)").matches;
  if ((kept("log-wrap") ?? (narrow && "on")) === "on") wrap(true);
  const kind = kept("log-time");
  if (["date", "start"].includes(kind)) tried(show(kind));
}
