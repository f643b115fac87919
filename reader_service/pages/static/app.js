// What every page does once htmx is there: answers to forms, the connection, the live stream. What works before: page.js.
import { announce, follow } from "./live.js";

// Dialogs whose form is on its way, and in which nothing was written since: an answer closes no other.
const sent = new WeakSet();
const dialogOf = (event) => event.detail.requestConfig?.elt?.closest("dialog[open]");

document.addEventListener("htmx:beforeRequest", (event) => {
  const dialog = dialogOf(event);
  if (dialog) sent.add(dialog);
});
for (const name of ["input", "close"]) {
  document.addEventListener(name, (event) => sent.delete(event.target.closest("dialog")), true);
}

// A message stands behind an open dialog, where nobody sees it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const dialog = dialogOf(event);
  if (event.detail.target.id === "messages" && dialog && sent.has(dialog)) dialog.close();
});

// A form in a dialog whose answer stands beside it: close and clear the dialog once the answer is there.
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = dialogOf(event);
  if (!dialog || dialog.contains(event.detail.target) || !sent.has(dialog)) return;
  dialog.close();
  for (const form of dialog.querySelectorAll("form")) form.reset();
  event.detail.target.scrollIntoView({ block: "nearest" });
});

// A form that was answered, also with a refusal, may be sent again: with another key. One without answer keeps its key,
// so that it is done once only.
document.addEventListener("htmx:afterRequest", (event) => {
  const key = event.target.querySelector?.("input[name=idempotency_key]");
  if (key && event.detail.xhr.status) key.value = crypto.randomUUID();
});

// A request without an answer: the service is stopped, or the network between is down.
document.addEventListener("htmx:sendError", () => connection(false));
document.addEventListener("htmx:afterOnLoad", () => connection(true));

function connection(there) {
  document.getElementById("connection").hidden = there;
  document.dispatchEvent(new CustomEvent("connection", { detail: { there } }));
}

// A message that came with the page was there before any screen reader listened.
const message = document.getElementById("messages").textContent.trim();
if (message) announce(message);

const main = document.querySelector("main[data-live]");
if (main) follow(main.dataset.live, connection);
