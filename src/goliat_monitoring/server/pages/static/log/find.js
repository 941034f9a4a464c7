// The search field: n of m, marks in the text, the way from match to match.
import { count } from "./row.js";
import { Search } from "./search.js";

const PAUSE = 300;

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
    const all = complete ? count(total) : `${count(total)}+, ${Math.floor((100 * searched) / ofLines)} %`;
    const none = complete ? "no match" : `none yet, ${Math.floor((100 * searched) / ofLines)} %`;
    output.textContent = !search.query ? "" : total ? `${place === undefined ? "\u2013" : count(place)} of ${all}` : none;
  }

  const on = (name) => form.querySelector(`[data-do=${name}]`).getAttribute("aria-pressed") === "true";

  // What is in the field, if it was not asked for already.
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
    button.setAttribute("aria-pressed", String(!on(button.dataset.do)));
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
  // Counted and marked while one types; the view stays until Enter.
  field.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => renew().catch((problem) => viewer.say(problem.message)), PAUSE);
  });
}
