// One stream of rendered HTML. Each element is merged into the one with its id (merge.js). A beat comes every few
// seconds: a silent connection is taken for lost, and opened again.
import { merge } from "./merge.js";
import { ended } from "./session.js";

const SILENT = 25_000;
const RETRY_AFTER = [500, 1_000, 2_000, 5_000];

export function follow(url, connection) {
  let source;
  let silence;
  let failures = 0;
  const alive = () => {
    failures = 0;
    connection(true);
    clearTimeout(silence);
    silence = setTimeout(lost, SILENT);
  };
  const lost = () => {
    source.close();
    clearTimeout(silence);
    connection(false);
    setTimeout(open, RETRY_AFTER[Math.min(failures++, RETRY_AFTER.length - 1)]);
  };
  const leave = () => {
    source.close();
    clearTimeout(silence);
    document.dispatchEvent(new CustomEvent("connection", { detail: { there: false } }));
    document.addEventListener("resume", open, { once: true });
    ended();
  };
  const open = () => {
    source = new EventSource(url);
    source.addEventListener("error", lost);
    source.addEventListener("beat", alive);
    source.addEventListener("leave", leave);
    source.addEventListener("parts", (event) => {
      alive();
      patch(event.data);
    });
  };
  open();
  addEventListener("pagehide", () => source.close());
}

// Parts that wait for the response to a button in the part they change: without the button, its response would be lost.
const late = new Map();
document.addEventListener("htmx:afterRequest", () => {
  const parts = [...late.values()];
  late.clear();
  for (const part of parts) place(part);
});

// Put the parts in their places; page modules learn of each by the event "part".
export function patch(html) {
  const parts = document.createElement("template");
  parts.innerHTML = html;
  for (const part of [...parts.content.children]) place(part);
}

// Parts that come with the response to a form go the same way.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  event.preventDefault();
  const part = event.detail.fragment;
  place(part instanceof Element ? part : part.firstElementChild);
});

function place(part) {
  const old = document.getElementById(part.id);
  if (!old) return;
  late.delete(part.id);
  if (old.querySelector(".htmx-request")) {
    late.set(part.id, part);
    return;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const current = merge(old, part);
  htmx.process(current);
  if (focused && (document.activeElement !== focused || focused.disabled)) keepFocus(current, focused.id);
  document.dispatchEvent(new CustomEvent("part", { detail: { part: current } }));
}

// Focus what had it; where that is gone or disabled, the first link or button of the part.
function keepFocus(part, id) {
  const usable = (one) => one && !one.disabled;
  const next = [document.getElementById(id), ...part.querySelectorAll("a[href], button")].find(usable);
  next?.focus({ preventScroll: true });
}

// Have a screen reader say it now, also where the text is the same as before.
export function announce(text) {
  const place = document.getElementById("announce");
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 60);
}
