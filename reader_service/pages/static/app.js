// What every page does once htmx is there: responses to forms, the connection, the live stream. See also page.js.
import { announce, follow } from "./live.js";

// Dialogs whose form was sent, and in which nothing was written since: a response closes only these.
const sent = new WeakSet();
const dialogOf = (event) => event.detail.requestConfig?.elt?.closest("dialog[open]");

document.addEventListener("htmx:beforeRequest", (event) => {
  const dialog = dialogOf(event);
  if (dialog) sent.add(dialog);
});
for (const name of ["input", "close"]) {
  document.addEventListener(name, (event) => sent.delete(event.target.closest("dialog")), true);
}

// A message is behind an open dialog, so the dialog closes.
document.addEventListener("htmx:beforeSwap", (event) => {
  const dialog = dialogOf(event);
  if (event.detail.target.id === "messages" && dialog && sent.has(dialog)) dialog.close();
});

// A form in a dialog with its response outside it: the dialog closes and its fields are cleared.
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = dialogOf(event);
  if (!dialog || dialog.contains(event.detail.target) || !sent.has(dialog)) return;
  dialog.close();
  for (const form of dialog.querySelectorAll("form")) form.reset();
  event.detail.target.scrollIntoView({ block: "nearest" });
});

// What is written into a form while its response is under way stays, also where the response replaces the form.
const writing = new WeakMap();
document.addEventListener("htmx:beforeRequest", ({ target }) => target instanceof HTMLFormElement && writing.set(target, new Set()));
document.addEventListener("input", ({ target }) => writing.get(target.form)?.add(target), true);
document.addEventListener("htmx:afterSwap", ({ detail: { target, requestConfig } }) => {
  for (const field of writing.get(requestConfig.elt) ?? []) {
    const place = !field.isConnected && target.querySelector(`form [name="${field.name}"]:not([type=hidden], [type=checkbox], [type=radio])`);
    if (place && !place.readOnly && place.type !== "file") place.value = field.value;
  }
});

// A form with a response, also a refusal, may be sent again, with another key. One without a response keeps its key, so
// that it takes effect once.
document.addEventListener("htmx:afterRequest", (event) => {
  const key = event.target.querySelector?.("input[name=idempotency_key]");
  if (key && event.detail.xhr.status) key.value = crypto.randomUUID();
});

// A request without a response: the service is stopped, or the network is down.
document.addEventListener("htmx:sendError", () => connection(false));
document.addEventListener("htmx:afterOnLoad", () => connection(true));

function connection(there) {
  document.getElementById("connection").hidden = there;
  document.dispatchEvent(new CustomEvent("connection", { detail: { there } }));
}

// A message that came with the page was there before a screen reader could notice a change.
const message = document.getElementById("messages").textContent.trim();
if (message) announce(message);

const main = document.querySelector("main[data-live]");
if (main) follow(main.dataset.live, connection);
