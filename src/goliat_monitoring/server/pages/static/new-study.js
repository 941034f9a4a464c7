// New study: files become text in the form, and what the form would give follows what is typed.
import { made } from "./common.js";

const form = document.getElementById("new-study");
const panel = document.getElementById("preview");
const PAUSE = 300;
const LARGEST = 1_000_000;
let timer;
let asked;

const field = (name) => form.elements.namedItem(name);

function stale(is) {
  panel.classList.toggle("old", is);
  panel.ariaBusy = is;
  // What is created is what was looked at.
  for (const button of panel.querySelectorAll("button[value=create]")) button.disabled = is;
}

function look() {
  clearTimeout(timer);
  stale(true);
  timer = setTimeout(ask, PAUSE);
}

async function ask() {
  asked?.abort();
  const mine = (asked = new AbortController());
  const data = new FormData(form);
  // They are in the text fields already.
  data.delete("config_file");
  data.delete("parent_files");
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: data, signal: mine.signal });
    const text = await answer.text();
    if (mine !== asked) return;
    if (!answer.headers.get("Content-Type")?.includes("text/html")) {
      const said = JSON.parse(text);
      return tell(`${said.error}: ${said.details ?? ""}`);
    }
    show(text);
  } catch {
    if (mine !== asked) return;
    tell("The server cannot be reached. The preview is old; it follows by itself.");
    document.body.addEventListener("sse:refresh", look, { once: true });
  }
}

function tell(words) {
  let note = panel.querySelector(".trouble-words");
  if (!note) {
    note = made("p", "", "trouble-words problem");
    panel.prepend(note);
  }
  note.textContent = words;
}

function show(html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  const problems = made.content.querySelector("[data-problems]");
  for (const place of form.querySelectorAll("[data-problem-of]")) {
    const said = problems?.querySelector(`[data-problem-of="${place.dataset.problemOf}"]`);
    place.replaceChildren(...(said ? said.childNodes : []));
    const input = document.getElementById(place.id.replace("problem-", ""));
    const wrong = place.textContent.trim() !== "";
    if (input) input.ariaInvalid = wrong ? "true" : null;
    if (wrong) place.closest("details")?.setAttribute("open", "");
  }
  problems?.remove();
  const state = made.content.querySelector("[data-state]");
  const had = panel.querySelector("[data-state=preview]");
  if (state?.dataset.state === "problem" && had) {
    // The last one that was possible stays, greyed.
    tell("Not possible as it is: see the marked fields. Below is the last preview.");
    return;
  }
  panel.replaceChildren(...made.content.childNodes);
  stale(false);
}

function number() {
  [...form.querySelectorAll("#parents .parent")].forEach((parent, at) => {
    parent.querySelector("[data-problem-of]").dataset.problemOf = `parent-${at + 1}`;
    for (const [kind, name] of [["name", "parent_name"], ["text", "parent_text"]]) {
      const input = parent.querySelector(`[name=${name}]`);
      parent.querySelector(`label[for="${input.id}"]`).htmlFor = `parent-${kind}-${at + 1}`;
      input.id = `parent-${kind}-${at + 1}`;
    }
  });
}

function addParent(name = "", text = "") {
  const old = [...form.querySelectorAll("#parents .parent")].find((it) => it.querySelector("[name=parent_name]").value === name);
  const parent = old ?? document.getElementById("parent").content.firstElementChild.cloneNode(true);
  if (!old) document.getElementById("parents").append(parent);
  parent.querySelector("[name=parent_name]").value = name;
  parent.querySelector("[name=parent_text]").value = text;
  parent.querySelector("summary bdi").textContent = name || "A parent";
  parent.open = !text;
  number();
  return parent;
}

function setConfig(name, text) {
  field("config").value = text;
  field("config_name").value = name;
  if (!field("name").value) field("name").value = name.split("/").pop().replace(/\.json$/, "");
}

const problemOf = (name, words) => {
  document.getElementById(`problem-${name}`).textContent = words;
};

// The first file dropped on the config is the config, and so is one that no other extends.
async function take(files, asConfig) {
  const texts = [];
  for (const file of files) {
    if (file.size > LARGEST) {
      problemOf(asConfig ? "config" : "parents", `${file.name} is too large: a config has at most 1,000,000 bytes.`);
      return;
    }
    texts.push({ name: file.name, text: (await file.text()).replace(/^\ufeff/, "") });
  }
  const parents = texts.map(({ text }) => parentOf(text));
  const extended = ({ name }) => parents.includes(name.replace(/\.json$/, ""));
  if (asConfig) texts.sort((a, b) => extended(a) - extended(b));
  if (asConfig && texts.length) {
    const first = texts.shift();
    setConfig(first.name, first.text);
  }
  for (const { name, text } of texts) addParent(name, text);
  look();
}

const parentOf = (text) => /"extends"\s*:\s*"(?:configs\/)?([^"]+?)(?:\.json)?"/.exec(text)?.[1];

function parts() {
  for (const place of form.querySelectorAll("[data-for]")) place.hidden = !place.dataset.for.split(" ").includes(field("by").value);
}

form.addEventListener("input", (event) => {
  if (event.target.type === "file") return;
  if (event.target.name === "parent_name") event.target.closest(".parent").querySelector("summary bdi").textContent = event.target.value || "A parent";
  parts();
  if (event.target.name !== "description" && event.target.name !== "library") look();
});

form.addEventListener("change", (event) => {
  if (event.target.type !== "file") return;
  take([...event.target.files], event.target.name === "config_file");
  event.target.value = "";
});

form.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.use) {
    event.preventDefault();
    field(button.dataset.use).value = button.value;
    parts();
    look();
  } else if ("addParent" in button.dataset) {
    event.preventDefault();
    addParent().querySelector("input").focus();
  } else if ("dropParent" in button.dataset) {
    button.closest(".parent").remove();
    number();
    look();
  } else if (button.name === "load") {
    event.preventDefault();
    const name = field("library").value;
    const answer = await fetch(`/api/config-files/${name.split("/").map(encodeURIComponent).join("/")}`);
    if (answer.ok) setConfig(name, await answer.text());
    else problemOf("config", `${name} is not in the library any more. Reload the page.`);
    look();
  } else if (button.value === "preview") {
    event.preventDefault();
    stale(true);
    ask();
  }
});

for (const id of ["drop-config", "drop-parents"]) {
  const zone = document.getElementById(id);
  zone.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files], id === "drop-config");
  });
}

parts();
// The browser may have kept what was typed before.
if (field("config").value && !panel.querySelector("[data-state=preview]")) look();
