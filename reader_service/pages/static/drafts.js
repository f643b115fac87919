// What was entered when the page was left for the sign-in page comes back with the page, in the same tab and for the same
// user. It is in the session storage meanwhile: never passwords, files, numbers of persons, nor fields with data-private.
import { changed, TEXT } from "./merge.js";

const PREFIX = "draft ";
const SIGNED_OUT = "signed out"; // set by page.js on the sign-in page
const NUMBER = /(?:\d[\s-]?){9,}|[a-z]\d{7,}/i;
const BATCH = /\bB\d{8}-\d{3,}\b/g;
const user = document.body.dataset.user;
const own = `${PREFIX}${user} `;
const key = `${own}${location.pathname}${location.search}`;
let done = false;
let opener;

// Everything that was entered is sent or given up.
export function forget() {
  done = true;
  for (const stored of Object.keys(sessionStorage)) if (stored.startsWith(PREFIX)) sessionStorage.removeItem(stored);
}

const isChoice = (field) => ["checkbox", "radio"].includes(field.type);

function entered() {
  const forms = [...document.forms].filter((form) => form.method === "post");
  return forms.flatMap((form) => [...form.elements]).filter((field) => {
    if (isChoice(field)) {
      return field.name && (field.checked !== field.defaultChecked || field.closest("dialog[open]"));
    }
    return field.name && field.matches(TEXT) && changed(field);
  });
}

function keeps(field) {
  if (isChoice(field)) return true; // its values come from the page
  if (["password", "file"].includes(field.type) || field.closest("[data-private]")) return false;
  return !NUMBER.test(field.value.normalize("NFKC").replaceAll(BATCH, ""));
}

// Whether nothing would be lost by leaving the page.
export function keepsAll() {
  return entered().every(keeps);
}

function save() {
  const fields = entered().filter(keeps).map((field) => ({
    form: field.form.getAttribute("action"),
    name: field.name,
    value: field.value,
    checked: isChoice(field) ? field.checked : undefined,
  }));
  const dialog = document.querySelector("dialog[open]")?.id;
  if (fields.length) sessionStorage.setItem(key, JSON.stringify({ fields, dialog, source: dialog && opener }));
}

function fill(fields) {
  let filled = false;
  for (const { form, name, value, checked } of fields) {
    const places = document.querySelectorAll(`form[action="${CSS.escape(form)}"] [name="${CSS.escape(name)}"]`);
    const place = checked === undefined ? places[0] : [...places].find((one) => one.value === value);
    if (!place || place.readOnly) continue;
    if (checked === undefined) place.value = value;
    else place.checked = checked;
    place.dispatchEvent(new Event("input", { bubbles: true }));
    filled = true;
  }
  if (filled) document.getElementById("restored").hidden = false;
}

function restore({ fields, dialog, source }) {
  const openers = [...document.querySelectorAll(`[commandfor="${CSS.escape(dialog ?? "")}"]`)];
  (source ? openers.find((one) => one.getAttribute("hx-get") === source) : openers[0])?.click();
  fill(fields);
  if (!source) return;
  const fetched = ({ detail }) => {
    if (!detail.target.closest(`dialog#${CSS.escape(dialog)}`)) return;
    document.removeEventListener("htmx:afterSwap", fetched);
    fill(fields);
  };
  document.addEventListener("htmx:afterSwap", fetched);
}

if (user) {
  const stored = sessionStorage.getItem(SIGNED_OUT) ? sessionStorage.getItem(key) : null;
  for (const other of Object.keys(sessionStorage)) {
    const waits = other.startsWith(own) && sessionStorage.getItem(SIGNED_OUT) && !stored; // for its page
    if (other.startsWith(PREFIX) && !waits) sessionStorage.removeItem(other);
  }
  if (!Object.keys(sessionStorage).some((one) => one.startsWith(PREFIX))) sessionStorage.removeItem(SIGNED_OUT);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button[command='show-modal']");
    if (button) opener = button.getAttribute("hx-get") ?? undefined;
  }, true);
  document.addEventListener("submit", ({ target }) => target.getAttribute("action") === "/logout" && forget(), true);
  addEventListener("pagehide", () => done || save());
  addEventListener("pageshow", ({ persisted }) => persisted && sessionStorage.removeItem(key));
  if (stored) restore(JSON.parse(stored));
}
