// What works from the first paint on: dialogs, menus, keys. A classic script in the head, so that it has run before
// anything can be pressed; all handlers are on the document. Presses that need htmx or a module are repeated once those
// are there.
"use strict";
(() => {
  // What was entered before comes back after the sign-in (drafts.js), which may be over before any module is there.
  if (location.pathname === "/login") sessionStorage.setItem("signed out", "yes");

  // --- presses before the modules ------------------------------------------------------------------------------------
  const MODULES_NEEDED = "[hx-get], [data-module], [data-print]"; // what was printed is noted through htmx
  const waiting = [];
  let ready = false;

  document.addEventListener("htmx:load", () => {
    ready = true;
    for (const repeat of waiting.splice(0)) repeat();
  }, { once: true });

  document.addEventListener("click", (event) => {
    if (ready) return;
    const button = event.target.closest(`button[commandfor], ${MODULES_NEEDED}`);
    if (!button) return;
    const target = button.getAttribute("commandfor");
    if (target && !document.getElementById(target)) waiting.push(() => button.click()); // its dialog is not parsed yet
    // An untyped event, for which the browser does not reopen a dialog that was closed meanwhile.
    else if (button.matches(MODULES_NEEDED)) waiting.push(() => button.dispatchEvent(new Event("click", { bubbles: true })));
  }, true);

  // --- dialogs -------------------------------------------------------------------------------------------------------
  // Opened and closed by the browser (commandfor, closedby), which focuses the field with autofocus.
  const knowsCommands = "commandForElement" in HTMLButtonElement.prototype;
  const knowsClosedBy = "closedBy" in HTMLDialogElement.prototype;
  const openers = new WeakMap();
  let pressed = null; // where a press began: selecting text beyond a dialog's edge does not close it
  document.addEventListener("pointerdown", (event) => (pressed = event.target));

  document.addEventListener("click", (event) => {
    if (!(event instanceof MouseEvent)) return;
    const button = event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (dialog && button.getAttribute("command") === "show-modal") {
      openers.set(dialog, [button, button.parentElement.closest("[id]")?.id]);
      prepare(button, dialog);
      if (!knowsCommands && !dialog.open) dialog.showModal();
    } else if (dialog && !knowsCommands) dialog.close();
    const beside = event.target instanceof HTMLDialogElement && pressed === event.target;
    if (beside && !knowsClosedBy) event.target.close();
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  function prepare(button, dialog) {
    if (dialog.id === "keys") listKeys();
    // Contents fetched for another button make room for those to come.
    if (button.hasAttribute("hx-get")) {
      const place = document.querySelector(button.getAttribute("hx-target"));
      place.replaceChildren(document.getElementById("loading").content.cloneNode(true));
    }
    if ("only" in button.dataset) {
      for (const form of dialog.querySelectorAll("form")) form.reset();
      for (const choice of dialog.querySelectorAll("input[type=checkbox]")) {
        choice.checked = ["", choice.value].includes(button.dataset.only);
      }
    }
  }

  // The focus returns to the opener, or where a live update removed it, to the first link or button of its part.
  document.addEventListener("close", (event) => {
    const [button, part] = openers.get(event.target) ?? [];
    if (!button || (button.isConnected && !button.disabled)) return;
    const there = document.getElementById(part);
    (document.getElementById(button.id) ?? there?.querySelector("a[href], button:enabled"))?.focus();
  }, true);

  // --- notices in dialogs --------------------------------------------------------------------------------------------
  // An open dialog covers and disables the page, so that the notices go into it, and a message that arrives meanwhile.
  function placeNotices() {
    const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
    const notices = document.getElementById("notices");
    const messages = document.getElementById("messages");
    if (dialog && notices.parentElement !== dialog) dialog.prepend(notices);
    if (!dialog && notices.closest("dialog")) document.getElementById("content").before(notices, messages);
  }

  document.addEventListener("DOMContentLoaded", () => {
    const open = { subtree: true, attributeFilter: ["open"] };
    new MutationObserver(placeNotices).observe(document.body, open);
    placeNotices();
  });

  // A script that does not arrive.
  document.addEventListener("error", ({ target }) => {
    if (!(target instanceof HTMLScriptElement)) return;
    const show = () => (document.getElementById("incomplete").hidden = false);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", show);
    else show();
  }, true);

  // --- links to send -------------------------------------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    field.select(); // what is left to do where the browser copies nothing (no TLS)
    if (!navigator.clipboard) document.execCommand("copy");
    else await navigator.clipboard.writeText(field.value).catch(() => document.execCommand("copy"));
    button.textContent = button.dataset.copied;
  });

  // --- lists to choose from --------------------------------------------------------------------------------------------
  document.addEventListener("change", ({ target }) => {
    const name = target.dataset.all;
    if (!name) return;
    for (const box of target.form.querySelectorAll(`input[type="checkbox"][name="${name}"]`)) box.checked = target.checked;
  });

  // --- paper ---------------------------------------------------------------------------------------------------------
  document.addEventListener("click", ({ target }) => {
    if (ready && target.closest("[data-print]")) print();
  });

  // --- messages ------------------------------------------------------------------------------------------------------
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-close]");
    if (!button) return;
    button.closest(".notice").remove();
    (document.querySelector("dialog[open] > header button") ?? document.getElementById("content")).focus({ preventScroll: true });
  });

  // --- menus, fields, files ------------------------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  // Enter begins a line in a text of several; with Ctrl it sends the form.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("form textarea")) return;
    event.preventDefault();
    event.target.form.querySelector("button[type=submit]:enabled")?.click();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
    if (event.target.id === "keys-on") localStorage.setItem(KEYS, event.target.checked ? "on" : "off");
  });

  // A file dropped beside its field must not replace the page.
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (ready || !event.target.closest(".drop")) return;
    const dataTransfer = new DataTransfer();
    for (const file of event.dataTransfer.files) dataTransfer.items.add(file);
    const target = event.target;
    waiting.push(() => target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true })));
  }, true);

  // --- keys ----------------------------------------------------------------------------------------------------------
  // Every element with data-key is pressed, or focused where it is a field, by that key or by two one after another
  // ("g s"). A dialog lists what there is on this page. They can be switched off (WCAG 2.1, 2.1.4).
  const KEYS = "keys";
  const PAUSE = 1200; // milliseconds between the two
  let before = "";
  let at = 0;

  document.addEventListener("keydown", (event) => {
    if (localStorage.getItem(KEYS) === "off") return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key; // caps lock changes nothing
    const match = (event.timeStamp - at < PAUSE && before && withKey(`${before} ${key}`)) || withKey(key);
    before = key;
    at = event.timeStamp;
    if (!match) return;
    before = "";
    event.preventDefault();
    if (match.matches("input, select, textarea")) match.focus();
    else match.click();
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.getElementById("keys-on").checked = localStorage.getItem(KEYS) !== "off";
    for (const one of document.querySelectorAll("[data-key]")) one.title ||= one.dataset.key;
  });

  function withKey(key) {
    return [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key && one.checkVisibility() && !one.disabled);
  }

  function listKeys() {
    const list = document.getElementById("keys-list");
    list.replaceChildren();
    for (const one of document.querySelectorAll("[data-key]")) {
      if (!one.checkVisibility()) continue;
      const term = document.createElement("dt");
      for (const key of one.dataset.key.split(" ")) {
        const cap = document.createElement("kbd");
        cap.textContent = key;
        term.append(cap, " ");
      }
      const label = document.createElement("dd");
      label.textContent = one.dataset.keyLabel ?? one.getAttribute("aria-label") ?? one.textContent.trim();
      list.append(term, label);
    }
    document.getElementById("keys-none").hidden = list.children.length > 0;
  }
})();
