// Rows do not move under a pointer or the focus. What would have moved is counted and offered: "3 moved, reorder".
let held = new Map();
let focused;
// The order as the server gave it, of a list that shows another one.
const given = new Map();

const listOf = (node) => (node.matches("table") ? node.tBodies[0] : node);
const idsOf = (node) => [...listOf(node).children].map((row) => row.id);
const inside = (node) => node.matches(":hover") || node.contains(document.activeElement);
const lists = (within) => within.querySelectorAll("[data-hold][id]");

document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
  held = new Map();
  for (const node of lists(target)) if (inside(node)) held.set(node.id, idsOf(node));
  // Focus stays in its row, on the same of its links and boxes.
  const row = document.activeElement?.closest("tr[id], li[id]");
  const at = row && target.contains(row) ? [...row.querySelectorAll("a, button, input")].indexOf(document.activeElement) : -1;
  focused = at < 0 ? undefined : [row.id, at];
});

document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  for (const node of lists(target)) {
    given.delete(node.id);
    const before = held.get(node.id);
    if (before) keep(node, before);
    tell(node.id);
  }
  if (focused && !document.activeElement?.closest(`[id="${CSS.escape(focused[0])}"]`)) {
    document.getElementById(focused[0])?.querySelectorAll("a, button, input")[focused[1]]?.focus({ preventScroll: true });
  }
});

function keep(node, before) {
  const now = idsOf(node);
  const places = new Map(before.map((id, place) => [id, place]));
  const known = now.filter((id) => places.has(id));
  const moved = known.length - longestRise(known.map((id) => places.get(id)));
  if (!moved) return;
  given.set(node.id, { order: now, moved });
  // Those that are new stay where they belong, behind the row that they follow.
  const sorted = [...known].sort((a, b) => places.get(a) - places.get(b));
  let next = 0;
  put(node, now.map((id) => (places.has(id) ? sorted[next++] : id)));
}

function put(node, order) {
  const list = listOf(node);
  const rows = new Map([...list.children].map((row) => [row.id, row]));
  const focus = document.activeElement;
  list.append(...order.map((id) => rows.get(id)).filter(Boolean));
  if (focus !== document.activeElement && list.contains(focus)) focus.focus({ preventScroll: true });
}

function longestRise(places) {
  const ends = [];
  for (const place of places) {
    const at = ends.findIndex((end) => end > place);
    ends[at < 0 ? ends.length : at] = place;
  }
  return ends.length;
}

function tell(id) {
  const button = document.querySelector(`[data-reorder="${CSS.escape(id)}"]`);
  if (!button) return;
  const waits = given.get(id);
  button.hidden = !waits;
  if (waits) button.textContent = `${waits.moved} moved, reorder`;
}

function reorder(id) {
  const waits = given.get(id);
  if (!waits) return;
  given.delete(id);
  put(document.getElementById(id), waits.order);
  tell(id);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reorder]");
  if (button) reorder(button.dataset.reorder);
});
// The pointer and the focus have left: the order may be right again. Rows that are gone tell nothing.
function left() {
  for (const id of [...given.keys()]) {
    const node = document.getElementById(id);
    const button = document.querySelector(`[data-reorder="${CSS.escape(id)}"]`);
    if (node && !inside(node) && !(button && inside(button))) reorder(id);
  }
}
for (const kind of ["pointerout", "pointerover", "focusout"]) document.addEventListener(kind, () => given.size && setTimeout(left, 400));
