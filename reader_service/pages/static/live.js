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

// Put the parts in their places. Elements with data-announce are read out, those with data-sound are heard.
export function patch(html) {
  const parts = document.createElement("template");
  parts.innerHTML = html;
  for (const part of [...parts.content.children]) {
    const old = document.getElementById(part.id);
    if (!old) continue;
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceWith(part);
    htmx.process(part);
    if (focused) keepFocus(part, focused);
    document.dispatchEvent(new CustomEvent("part", { detail: { part, old } }));
  }
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
