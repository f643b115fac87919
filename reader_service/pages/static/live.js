// One stream of ready-made HTML. Each element that comes takes the place of the one with its id; the focus stays where it
// was. A beat comes every few seconds: a line that has gone silent is taken for lost, and asked for again.
const SILENT = 25_000;
const AGAIN = [500, 1_000, 2_000, 5_000];

export function follow(url, connection) {
  let source;
  let silence;
  let failures = 0;
  const heard = () => {
    failures = 0;
    connection(true);
    clearTimeout(silence);
    silence = setTimeout(lost, SILENT);
  };
  const lost = () => {
    source.close();
    clearTimeout(silence);
    connection(false);
    setTimeout(open, AGAIN[Math.min(failures++, AGAIN.length - 1)]);
  };
  const open = () => {
    source = new EventSource(url);
    source.addEventListener("error", lost);
    source.addEventListener("beat", heard);
    source.addEventListener("leave", () => location.reload());
    source.addEventListener("parts", (event) => {
      heard();
      patch(event.data);
    });
  };
  open();
  addEventListener("pagehide", () => source.close());
}

// Parts that wait for the answer to a button in the one they replace: to a button that is gone no answer would be told.
const late = new Map();
document.addEventListener("htmx:afterRequest", () => {
  const parts = [...late.values()];
  late.clear();
  for (const part of parts) place(part);
});

// Put the parts in their places; page modules hear of each by the event "part".
export function patch(html) {
  const parts = document.createElement("template");
  parts.innerHTML = html;
  for (const part of [...parts.content.children]) place(part);
}

function place(part) {
  const old = document.getElementById(part.id);
  if (!old) return;
  late.delete(part.id);
  if (old.querySelector(".htmx-request")) {
    late.set(part.id, part);
    return;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(part);
  htmx.process(part);
  if (focused) keepFocus(part, focused);
  document.dispatchEvent(new CustomEvent("part", { detail: { part, old } }));
}

// What had the focus, or where that is gone or disabled now, the first thing in its part that can be pressed.
function keepFocus(part, id) {
  const usable = (one) => one && !one.disabled;
  const next = [document.getElementById(id), ...part.querySelectorAll("a[href], button")].find(usable);
  next?.focus({ preventScroll: true });
}

// Have a screen reader say it now; the same words once more are said once more.
export function announce(text) {
  const place = document.getElementById("announce");
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 60);
}
