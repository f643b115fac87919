// A barcode scanner types a card and sends Enter, faster than the service answers: scans wait in a line, and the field is
// free for the next one at once. Each answer is heard.
import { tone } from "./sound.js";

const form = document.getElementById("scan");
const field = form?.elements.namedItem("scan");
let line = Promise.resolve();

async function send(scan, reader) {
  document.getElementById("messages").replaceChildren();
  await htmx.ajax("POST", form.action, { target: "#box-live", swap: "outerHTML", values: { scan, reader } });
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const scan = field.value.trim();
  const reader = form.elements.namedItem("reader").value;
  field.value = "";
  field.focus();
  if (scan || reader) line = line.then(() => send(scan, reader)).catch(() => {});
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const live = document.getElementById("box-live");
  if (detail.target.id === "box-live" && live) tone(live.dataset.tone);
});
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.pathInfo.requestPath.endsWith("/tick")) tone("bad");
});
