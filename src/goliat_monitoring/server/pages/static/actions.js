// What a person may do: dialogs that ask, and forms that are sent to the API as JSON. Macros: templates/actions.html.
const root = document.documentElement;

// An amount may be empty, which says "none"; what is no number must not become that.
function numberOf(text) {
  const said = text.trim().replace(",", ".");
  if (said === "") return null;
  if (!Number.isFinite(Number(said))) throw new Error(`“${text}” is no number`);
  return Number(said);
}

function valueOf(field) {
  const { value } = field;
  switch (field.dataset.as) {
    case "number":
    case "amount":
      return numberOf(value);
    case "list":
      return value.split(/[\s,]+/).filter(Boolean);
    case "json":
      return JSON.parse(value);
    default:
      return field.type === "checkbox" ? field.checked : value;
  }
}

// One member for each named field; empty texts say nothing and are left out. `data-nest`: inside one member of that name.
export function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled || (field.type === "radio" && !field.checked)) continue;
    if (field.type !== "checkbox" && field.value === "" && field.dataset.as !== "amount") continue;
    body[field.name] = valueOf(field);
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

// `/studies/{study.id}` with what the server said.
const filled = (address, said) =>
  address.replace(/\{([\w.]+)\}/g, (_, way) => encodeURIComponent(way.split(".").reduce((it, key) => it?.[key], said) ?? ""));

export const refresh = () => document.body.dispatchEvent(new CustomEvent("sse:refresh"));

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.api) return;
  event.preventDefault();
  const [method, address] = form.dataset.api.split(" ");
  const problem = (form.closest("dialog") ?? form).querySelector(".problem");
  const buttons = [...form.querySelectorAll("button")];
  buttons.forEach((button) => (button.disabled = true));
  root.setAttribute("aria-busy", "true");
  try {
    const said = await send(method, address, bodyOf(form));
    problem.textContent = "";
    if (!("stay" in form.dataset)) form.closest("dialog")?.close();
    form.dispatchEvent(new CustomEvent("done", { bubbles: true, detail: said }));
    if (form.dataset.then) location.assign(filled(form.dataset.then, said));
    else refresh();
  } catch (trouble) {
    problem.textContent = `Not done: ${trouble.message}`;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
    root.removeAttribute("aria-busy");
  }
});

document.addEventListener("click", (event) => {
  const node = event.target.closest("[data-dialog], [data-close]");
  if (!node) return;
  if (node.dataset.dialog) document.getElementById(node.dataset.dialog).showModal();
  else node.closest("dialog").close();
});
