// The server writes UTC; this makes it relative or local, by the server's clock and the viewer's time zone.
import { kept } from "./common.js";

const root = document.documentElement;
// A viewer's clock may be wrong: the server's counts.
let late = Date.now() - Date.parse(root.dataset.now);

export const serverNow = () => Date.now() - late;
export const setServerNow = (iso) => (late = Date.now() - Date.parse(iso));

// The viewer's zone, or UTC by choice.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
let utc = kept("zone") === "utc";
export const zoneName = () => (utc ? "UTC" : here);
// A date whose UTC fields read as the clock on the wall of the chosen zone.
const wall = (date) => (utc ? date : new Date(date - date.getTimezoneOffset() * 60000));
// How far that clock is ahead of UTC, seconds.
export const ahead = (date) => (wall(date) - date) / 1000;

export const clock = (date) => wall(date).toISOString().slice(11, 19);
const day = (date) => wall(date).toISOString().slice(0, 10);
export const absolute = (date) => `${day(date)} ${clock(date)}`;
const exactly = (date) => `${absolute(date)} ${zoneName()}`;

export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  const part = (unit, of = Infinity) => Math.floor((s % of) / unit);
  if (s < 3600) return `${part(60)} min${s < 600 && s % 60 ? ` ${s % 60} s` : ""}`;
  return s < 86400 ? `${part(3600)} h ${part(60, 3600)} min` : `${part(86400)} d ${part(3600, 86400)} h`;
}

function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds / 5) * 5} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  return `${seconds < 86400 ? Math.floor(seconds / 3600) + " h" : "1 d"} ago`;
}

// Paper is read later.
let paper;
const put = (node, text) => node.textContent !== text && (node.textContent = text);

export function tell(node) {
  const date = new Date(node.dateTime);
  const seconds = (serverNow() - date) / 1000;
  const kind = node.dataset.as;
  const title = exactly(date);
  if (node.title !== title) node.title = title;
  if (kind === "clock") return put(node, clock(date));
  if (kind === "at") return put(node, absolute(date));
  if (kind === "time") return put(node, day(date) === day(new Date(serverNow())) ? clock(date).slice(0, 5) : dayClock(date));
  if (kind === "since") return put(node, span(seconds));
  put(node, seconds < 172800 && !paper ? ago(seconds) : absolute(date));
}

// "Thu 18:00", six days away "4 Dec 18:00".
const isFar = (date) => Math.abs(date - serverNow()) >= 5184e5;
export function dayClock(date, far = isFar(date)) {
  // "Thu, 04 Dec 2026 18:00:00 GMT"
  const words = wall(date).toUTCString();
  return `${far ? words.slice(5, 11).replace(/^0/, "") : words.slice(0, 3)} ${clock(date).slice(0, 5)}`;
}

function tellRange(node) {
  const from = new Date(node.dataset.from);
  const to = new Date(node.dataset.to);
  const far = isFar(to);
  const same = day(from) === day(to);
  put(node, same ? `${dayClock(from, far)}–${clock(to).slice(0, 5)}` : `${dayClock(from, far)} – ${dayClock(to, far)}`);
  node.title = `${absolute(from)} – ${exactly(to)}`;
}

export function tellAll(within = document) {
  within.querySelectorAll("time[data-as]").forEach(tell);
  within.querySelectorAll("span[data-from]").forEach(tellRange);
  // Marks of charts; SVG knows no time element.
  within.querySelectorAll("text[data-at]").forEach((node) => put(node, dayClock(new Date(node.dataset.at), "date" in node.dataset)));
}

const zone = document.getElementById("zone");
function nameZone() {
  zone.textContent = zoneName();
  zone.ariaLabel = `Times are ${zoneName()}; show ${utc ? here : "UTC"}`;
}
nameZone();
zone.addEventListener("click", () => {
  utc = !utc;
  kept("zone", utc ? "utc" : "local");
  nameZone();
  tellAll();
  document.dispatchEvent(new CustomEvent("zone"));
});
onbeforeprint = onafterprint = ({ type }) => {
  paper = type === "beforeprint";
  tellAll();
};
tellAll();
// Only ages change.
setInterval(() => {
  if (!document.hidden) document.querySelectorAll("time[data-as=ago], time[data-as=since]").forEach(tell);
}, 1000);
document.addEventListener("htmx:afterSwap", (event) => tellAll(event.detail.target));
