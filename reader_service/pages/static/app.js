// What every page does once htmx is there: responses to forms, the connection, the live stream. See also page.js.
import { announce, follow } from "./live.js";
import "./messages.js";
import { check, redirected } from "./session.js";

// Dialogs whose form was sent, and in which nothing was written since: a response closes only these.
const sent = new WeakSet();
const dialogOf = (event) => event.detail.requestConfig?.elt?.closest("dialog[open]");

document.addEventListener("htmx:beforeRequest", (event) => {
  const dialog = dialogOf(event);
  if (dialog && event.detail.elt instanceof HTMLFormElement) sent.add(dialog); // a field asks for suggestions
});
for (const name of ["input", "close"]) {
  document.addEventListener(name, (event) => sent.delete(event.target.closest("dialog")), true);
}

// A form in a dialog with a message as its response: the dialog closes. A refusal, and a message that comes for something
// else, is shown in the open dialog.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, isError, requestConfig } = event.detail;
  if (isError && contents(event)) event.detail.target = requestConfig.target;
  if (target.id !== "messages") return;
  const dialog = dialogOf(event);
  if (!isError && dialog && sent.has(dialog)) dialog.close();
  document.querySelector("dialog[open] > #notices")?.after(target);
});

// A redirect, and a write with the secret of an earlier session: it is sent again with the present one.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr, elt } = event.detail;
  const address = xhr.getResponseHeader("HX-Redirect");
  const dialog = dialogOf(event);
  if (address) {
    event.preventDefault();
    redirected(address, dialog && sent.has(dialog) ? dialog : null);
    if (contents(event)) notLoaded(event);
  } else if (xhr.getResponseHeader("Problem") === "csrf") {
    event.preventDefault();
    check().then((renewed) => {
      if (!renewed) refused(event.detail);
      else if (elt instanceof HTMLFormElement) elt.requestSubmit();
      else elt.dispatchEvent(new Event("click", { bubbles: true }));
    });
  } else if (xhr.status < 400 && elt instanceof HTMLFormElement) {
    for (const name of ["resumed", "restored"]) document.getElementById(name).hidden = true;
  }
});
document.addEventListener("resume", askAgain);

function refused(detail) {
  const messages = document.getElementById("messages");
  document.querySelector("dialog[open] > #notices")?.after(messages);
  const eventInfo = { ...detail, target: messages };
  htmx.swap(messages, detail.xhr.responseText, { swapStyle: "innerHTML" }, { eventInfo });
}

// --- contents of a dialog that do not arrive -----------------------------------------------------------------------
const PATIENCE = 20_000;
const contents = ({ detail }) => detail?.requestConfig?.verb === "get" && detail.requestConfig.target.closest("dialog[open]");

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb === "get") detail.timeout = PATIENCE;
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => contents(event) && notLoaded(event));
}

function notLoaded({ detail: { requestConfig: { path, target } } }) {
  target.replaceChildren(document.getElementById("not-loaded").content.cloneNode(true));
  const again = target.querySelector("[data-again]");
  again.setAttribute("hx-get", path);
  again.setAttribute("hx-target", `#${target.id}`);
  htmx.process(again);
  again.focus();
}

function askAgain() {
  document.querySelector("dialog[open] [data-again]:enabled")?.click();
}

// What was swapped in works at once: htmx would take it on only when it has settled, and a form that is sent before that
// would load a page.
document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  htmx.process(target.isConnected ? target : document.body);
});

// A form in a dialog with its response outside it: the dialog closes and its fields are cleared.
document.addEventListener("htmx:afterSwap", (event) => {
  const dialog = dialogOf(event);
  if (event.detail.target.matches("dialog #messages")) event.detail.target.scrollIntoView({ block: "nearest" });
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

// A form with a response, also a refusal, may be sent again, with another key. One without a response, or that is still
// being worked on, keeps its key, so that it takes effect once.
document.addEventListener("htmx:afterRequest", ({ target, detail: { xhr } }) => {
  const key = target.querySelector?.("input[name=idempotency_key]");
  const over = xhr.status && xhr.getResponseHeader("Problem") !== "request-in-progress";
  if (key && over) key.value = crypto.randomUUID();
});

// --- the connection ------------------------------------------------------------------------------------------------
// A request without a response: the service is stopped, or the network is down.
for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => connection(false));
document.addEventListener("htmx:afterOnLoad", () => connection(true));
const main = document.querySelector("main[data-live]");
const PROBE_AFTER = 2_000;
let probing;
let lost = false;

function connection(there) {
  if (there && lost) askAgain();
  lost = !there;
  document.getElementById("connection").hidden = there;
  clearTimeout(probing);
  if (!there && !main) probing = setTimeout(probe, PROBE_AFTER); // on the other pages the live stream comes back
  document.dispatchEvent(new CustomEvent("connection", { detail: { there } }));
}

async function probe() {
  const answer = await fetch("/health/live").catch(() => undefined);
  connection(answer?.ok === true);
}

// A message that came with the page was there before a screen reader could notice a change.
const message = document.getElementById("messages").textContent.trim();
if (message) announce(message);

if (main) follow(main.dataset.live, connection);
