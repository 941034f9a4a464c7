// The server writes UTC; this makes it relative or local, by the server's clock and the viewer's time zone.
const root = document.documentElement;
// A viewer's clock may be wrong: ages are counted from the server's.
let ahead = Date.now() - Date.parse(root.dataset.now ?? new Date().toISOString());

export const serverNow = () => Date.now() - ahead;
export const setServerNow = (iso) => {
  const at = Date.parse(iso);
  if (!Number.isNaN(at)) ahead = Date.now() - at;
};

const two = (n) => String(n).padStart(2, "0");
export const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
export const absolute = (date) => `${day(date)} ${clock(date)}`;

// Two units, as everywhere: "3 h 12 min".
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s < 600 && s % 60 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds / 5) * 5} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${seconds < 86400 ? Math.floor(seconds / 3600) + " h" : "1 d"} ago`;
}

const put = (node, text) => node.textContent !== text && (node.textContent = text);

export function tell(node) {
  const date = new Date(node.dateTime);
  if (Number.isNaN(date.getTime())) return;
  const seconds = (serverNow() - date) / 1000;
  const kind = node.dataset.as;
  if (kind === "clock") return put(node, clock(date));
  if (kind === "at") return put(node, absolute(date));
  if (!node.title) node.title = absolute(date);
  if (kind === "since") return put(node, span(seconds));
  put(node, seconds < 172800 ? ago(seconds) : absolute(date));
}

const days = new Intl.DateTimeFormat("en-GB", { weekday: "short" });
const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
// "Thu 18:00", from six days on "4 Dec 18:00".
export function dayClock(date, far = date - serverNow() >= 6 * 86400000) {
  return `${(far ? dates : days).format(date)} ${clock(date).slice(0, 5)}`;
}

// A range of time to come: "Thu 18:00–23:00".
function tellRange(node) {
  const from = new Date(node.dataset.from);
  const to = new Date(node.dataset.to);
  const far = to - serverNow() >= 6 * 86400000;
  const same = from.toDateString() === to.toDateString();
  put(node, same ? `${dayClock(from, far)}–${clock(to).slice(0, 5)}` : `${dayClock(from, far)} – ${dayClock(to, far)}`);
  node.title = `${absolute(from)} – ${absolute(to)}`;
}

export function tellAll(within = document) {
  within.querySelectorAll("time[data-as]").forEach(tell);
  within.querySelectorAll("[data-from]").forEach(tellRange);
  // Marks of charts; SVG knows no time element.
  within.querySelectorAll("text[data-at]").forEach((node) => put(node, dayClock(new Date(node.dataset.at), "date" in node.dataset)));
}

const zone = document.getElementById("zone");
if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
tellAll();
// Clock times never change: only ages are told again.
setInterval(() => {
  if (!document.hidden) document.querySelectorAll("time[data-as=ago], time[data-as=since]").forEach(tell);
}, 1000);
document.addEventListener("htmx:afterSwap", (event) => tellAll(event.detail.target));
