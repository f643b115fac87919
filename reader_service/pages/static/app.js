// What every page does: dialogs, menus, keys, the live stream. Page modules import from here only what they need.
import { announce, follow } from "./live.js";
import { listenToKeys, showKeys } from "./keys.js";

// What somebody who opens a dialog wants to fill in; where there is nothing of it, the browser chooses.
const FIRST = ":is(input:not([type=hidden], [type=checkbox], [type=radio], [readonly]), select, textarea):enabled";

// Where a press began: text that is marked beyond a dialog's edge does not close it.
let pressed = null;
document.addEventListener("pointerdown", (event) => (pressed = event.target));

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.open);
    if (dialog.id === "keys") showKeys();
    dialog.showModal();
    (dialog.querySelector("[autofocus]:enabled") ?? dialog.querySelector(FIRST))?.focus();
    // A live page may have drawn the opener anew meanwhile: the focus goes back to what has its name.
    dialog.addEventListener("close", () => opener.isConnected || document.getElementById(opener.id)?.focus(), { once: true });
    return;
  }
  const closer = event.target.closest("[data-close]");
  if (closer) closer.closest("dialog").close();
  if (event.target instanceof HTMLDialogElement && pressed === event.target) event.target.close(); // a click beside it
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A request that found nobody: the service is stopped, or the network between is down.
document.addEventListener("htmx:sendError", () => connection(false));
document.addEventListener("htmx:afterOnLoad", () => connection(true));
// A message stands behind an open dialog, where nobody sees it.
document.addEventListener("htmx:beforeSwap", (event) => {
  // One that was opened meanwhile is another matter, and stays.
  if (event.detail.target.id === "messages") event.detail.requestConfig?.elt?.closest("dialog[open]")?.close();
});

// A form that was answered, also with a refusal, may be sent anew: with another key. One without answer keeps its key,
// so that it is done once only.
document.addEventListener("htmx:afterRequest", (event) => {
  const key = event.target.querySelector?.("input[name=idempotency_key]");
  if (key && event.detail.xhr.status) key.value = crypto.randomUUID();
});

export function connection(there) {
  document.getElementById("connection").hidden = there;
  document.dispatchEvent(new CustomEvent("connection", { detail: { there } }));
}

// A message that came with the page was there before any screen reader listened.
const told = document.getElementById("messages").textContent.trim();
if (told) announce(told);

listenToKeys();
const main = document.querySelector("main[data-live]");
if (main) follow(main.dataset.live, connection);
