// Keyboard shortcuts: every element with data-key is pressed, or focused where it is a field, by that key or by two after
// another ("g s"). The help dialog lists what there is on this page. They can be switched off (WCAG 2.1, 2.1.4).
const STORED = "keys";
const PAUSE = 1200;

export function listenToKeys() {
  const on = document.getElementById("keys-on");
  on.checked = localStorage.getItem(STORED) !== "off";
  on.addEventListener("change", () => localStorage.setItem(STORED, on.checked ? "on" : "off"));
  for (const one of document.querySelectorAll("[data-key]")) one.title ||= one.dataset.key;
  let before = "";
  let at = 0;
  document.addEventListener("keydown", (event) => {
    if (!on.checked || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key; // caps lock changes nothing
    const found = (event.timeStamp - at < PAUSE && before && withKey(`${before} ${key}`)) || withKey(key);
    before = key;
    at = event.timeStamp;
    if (!found) return;
    before = "";
    event.preventDefault();
    if (found.matches("input, select, textarea, [data-key-focus]")) found.focus();
    else found.click();
  });
}

function withKey(key) {
  return [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key && one.checkVisibility() && !one.disabled);
}

export function showKeys() {
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
