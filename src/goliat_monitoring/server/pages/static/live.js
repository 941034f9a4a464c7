// One stream of events per page. It says what changed; fragments listen for `sse:KIND` and fetch themselves.
import { clock, serverNow, setServerNow } from "./times.js";

const root = document.documentElement;
const state = document.getElementById("connection");
const words = document.getElementById("connection-words");
// Apart from the words, which are read out when they change: a countdown is not.
const next = document.getElementById("connection-next");
const topics = root.dataset.topics;
// A hidden page rests after this long: browsers allow few connections to one server.
const REST = 30_000;
let source;
let since = root.dataset.stamp;
let waits = 0;
let retry;
let heard = serverNow();
let resting;

// A fragment is fetched at most once in this time, however busy the fleet; the log is small and goes on at once.
const PACE = 1000;
// When each kind was told last, or will be.
const told = new Map();

function tell(kind) {
  const now = performance.now();
  if (told.get(kind) > now) return;
  const due = kind === "log" ? now : Math.max(now, (told.get(kind) ?? 0) + PACE);
  told.set(kind, due);
  setTimeout(() => document.body.dispatchEvent(new CustomEvent(`sse:${kind}`)), Math.ceil(due - now));
}

function show(kind, text, then = "") {
  state.dataset.state = kind;
  next.textContent = then;
  if (words.textContent !== text) words.textContent = text;
  document.body.classList.toggle("stale", kind === "lost");
}

function open() {
  if (source?.readyState < EventSource.CLOSED) return;
  clearTimeout(retry);
  source = new EventSource(`/live?topics=${encodeURIComponent(topics)}&since=${encodeURIComponent(since)}`);
  source.addEventListener("hello", (event) => {
    const hello = JSON.parse(event.data);
    if (hello.build !== root.dataset.build) return location.reload();
    setServerNow(hello.now);
    if (waits) tell("refresh");
    waits = 0;
    heard = serverNow();
    show("live", "Live");
  });
  for (const kind of ["server", "fleet", "worker", "studies", "study", "run", "log", "settings", "refresh"]) {
    source.addEventListener(kind, (event) => {
      since = event.lastEventId || since;
      heard = serverNow();
      tell(kind);
    });
  }
  source.onerror = () => {
    // The browser would try again in step with all others; this does it with jitter and says when.
    source.close();
    lost();
  };
}

function lost() {
  waits += 1;
  // A stream that the server ended in good order is taken up at once, without alarm.
  const again = waits === 1 ? 300 + 700 * Math.random() : Math.min(30, 2 ** (waits - 1)) * (700 + 600 * Math.random());
  const at = Date.now() + again;
  const count = () => {
    const left = Math.ceil((at - Date.now()) / 1000);
    if (waits > 1) show("lost", `Connection lost. Data as of ${clock(new Date(heard))}.`, ` Next try in ${Math.max(left, 0)} s.`);
    if (left > 0) retry = setTimeout(count, 500);
    else open();
  };
  count();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(resting);
  if (document.hidden) {
    resting = setTimeout(() => {
      clearTimeout(retry);
      source?.close();
    }, REST);
  } else open();
});
// Leaving must not look like a lost connection.
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => event.persisted && open());
if (topics) {
  addEventListener("online", open);
  open();
}
document.getElementById("connection-try").onclick = open;
