// What a person may do: dialogs and forms, whose attributes templates/actions.html explains.
const root = document.documentElement;

// An amount may be empty, which says "none"; what is no number must not become that.
function numberOf(text) {
  const said = text.trim().replace(",", ".");
  if (said === "") return null;
  if (!Number.isFinite(Number(said))) throw new Error(`“${text}” is no number`);
  return Number(said);
}

const READ = { number: numberOf, amount: numberOf, list: (text) => text.split(/[\s,]+/).filter(Boolean), json: JSON.parse };

// Empty texts say nothing and are left out. `data-nest`: inside one member of that name.
function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    const { name, value, dataset } = field;
    const read = READ[dataset.as] ?? String;
    if (name && (value !== "" || dataset.as === "amount")) body[name] = read(value);
  }
  return form.dataset.nest ? { [form.dataset.nest]: body } : body;
}

// Sends `body`, as JSON or a file as it is, and returns what the server says; throws an Error with its words when it refuses.
export async function send(method, address, body) {
  const answer = await fetch(address, {
    method,
    headers: { "Content-Type": "application/json" },
    body: method === "DELETE" || method === "GET" ? undefined : body instanceof Blob ? body : JSON.stringify(body ?? {}),
  }).catch(() => {
    throw new Error("the server cannot be reached");
  });
  const said = await answer.json().catch(() => undefined);
  if (!answer.ok) throw new Error([said?.error ?? `answer ${answer.status}`, said?.details].filter(Boolean).join(": "));
  return said;
}

export const refresh = () => document.body.dispatchEvent(new CustomEvent("sse:refresh"));

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.api) return;
  event.preventDefault();
  const [method, address] = form.dataset.api.split(" ");
  const problem = (form.closest("dialog") ?? form).querySelector(".problem");
  const buttons = [...form.querySelectorAll("button")];
  buttons.forEach((button) => (button.disabled = true));
  root.ariaBusy = true;
  try {
    const said = await send(method, address, bodyOf(form));
    problem.textContent = "";
    if (!("stay" in form.dataset)) form.closest("dialog")?.close();
    form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: said }));
    if (form.dataset.then) location.assign(form.dataset.then.replace("{study.id}", said.study?.id));
    else refresh();
  } catch (trouble) {
    problem.textContent = `Not done: ${trouble.message}`;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
    root.ariaBusy = null;
  }
});

document.addEventListener("click", (event) => {
  const node = event.target.closest("[data-dialog], [data-close]");
  if (!node) return;
  if (node.dataset.dialog) document.getElementById(node.dataset.dialog).showModal();
  else node.closest("dialog").close();
});
