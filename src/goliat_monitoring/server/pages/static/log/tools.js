// The tools above the list: types, problems, errors, time, wrap, copies, whole lines, and their keys.
import { absolute } from "../times.js";
import { count, shown } from "./row.js";

const PROBLEMS = "warning,error,fatal";
const ERRORS = "error,fatal";
// Lines in one copy.
const MOST_COPIED = 10_000;

// Reads a choice of this viewer, or writes it. Storage may be barred: then it lasts for this page only.
function kept(key, value) {
  try {
    return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value);
  } catch {
    return null;
  }
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that came without encryption have no clipboard of their own.
  const field = document.createElement("textarea");
  field.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  return undefined;
}

export function tools(viewer) {
  const { section, lines, list, box } = viewer;
  const menu = viewer.part("levels");
  const boxes = [...menu.querySelectorAll("input")];
  const problems = viewer.part("problems");
  const whole = section.querySelector("#log-whole");
  const wrapping = section.querySelector("[data-do=wrap]");
  const tried = (work) => work.catch((problem) => viewer.say(problem.message));

  const chosen = () => boxes.filter((one) => one.checked).map((one) => one.value).join(",");
  function types(levels) {
    for (const one of boxes) one.checked = levels.split(",").includes(one.value);
    if (levels === lines.levels) return;
    viewer.follow();
    tried(viewer.types(levels));
  }
  section.addEventListener("types", () => {
    const names = lines.levels ? lines.levels.split(",") : [];
    for (const one of boxes) one.checked = names.includes(one.value);
    viewer.part("chosen").textContent = names.length ? `: ${names.length > 2 ? names.length : names.join(", ")}` : "";
  });
  menu.addEventListener("change", () => types(chosen()));
  section.addEventListener("levels", ({ detail }) => {
    for (const one of boxes) {
      const many = detail[one.value] ?? 0;
      one.closest("label").querySelector("output").textContent = count(many);
      one.closest("label").hidden = !many && !one.checked;
    }
    const of = (...names) => names.reduce((sum, name) => sum + (detail[name] ?? 0), 0);
    problems.hidden = !of("warning", "error", "fatal");
    const text = `${count(of("error", "fatal"))} errors and ${count(of("warning"))} warnings, by text`;
    problems.querySelector("summary").textContent = text.replace(/^1 errors/, "1 error").replace(/ 1 warnings/, " 1 warning");
  });

  async function listProblems() {
    const said = await lines.ask({}, "/problems");
    const items = said.problems.map((one) => {
      const item = document.createElement("li");
      const level = document.createElement("span");
      level.className = one.level;
      level.textContent = `${one.level} \u00d7 ${count(one.count)}`;
      const text = document.createElement("bdi");
      text.textContent = shown(one.text);
      const link = (n, words, time) => {
        const node = document.createElement("a");
        node.href = `#L${n}`;
        node.textContent = `${words} ${count(n)}`;
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
    wrapping.setAttribute("aria-pressed", String(on));
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
    viewer.say(`Copied ${count(found.length)} line${found.length === 1 ? "" : "s"}`);
  }

  async function showWhole(n) {
    const [line] = (await lines.ask({ after: n - 1, limit: 1 })).lines;
    whole.querySelector("h2").textContent = `Line ${count(line.n)}, ${count(line.text.length)} characters`;
    whole.querySelector("pre").textContent = shown(line.text);
    whole.showModal();
  }

  const deeds = {
    follow: () => (viewer.following ? viewer.letGo() : viewer.newest()),
    newest: () => viewer.newest(),
    wrap: () => {
      wrap(!box.classList.contains("wrap"));
      kept("log-wrap", box.classList.contains("wrap") ? "on" : "off");
    },
    problems: () => types(PROBLEMS),
    all: () => types(""),
    "next-error": () => tried(error(false)),
    "last-error": () => tried(error(true)),
    copy: () => tried(copyRange()),
    "copy-whole": () => tried(copy(whole.querySelector("pre").textContent)),
  };
  section.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.whole) tried(showWhole(Number(button.dataset.whole)));
    else deeds[button?.dataset.do]?.();
  });
  document.addEventListener("click", (event) => !menu.contains(event.target) && menu.removeAttribute("open"));

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

  const keys = { f: deeds.follow, e: deeds["next-error"], E: deeds["last-error"] };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const field = section.querySelector(".find input");
    if ((event.ctrlKey || event.metaKey) && key === "f" && !event.shiftKey && !event.altKey) {
      // The second time is the browser's own search.
      if (document.activeElement === field) return;
      event.preventDefault();
      field.focus();
      field.select();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || target.closest("input, textarea, select, [contenteditable]")) return;
    if (key === "Escape") {
      menu.removeAttribute("open");
      viewer.range = viewer.found = undefined;
      if (location.hash) history.replaceState(null, "", location.pathname + location.search);
      viewer.redraw();
      viewer.tell();
    } else if (document.documentElement.dataset.keys !== "off") keys[key]?.();
  });

  const narrow = matchMedia("(max-width: 599px)").matches;
  if ((kept("log-wrap") ?? (narrow ? "on" : "off")) === "on") wrap(true);
  const kind = kept("log-time");
  if (["date", "start"].includes(kind)) tried(show(kind));
}
