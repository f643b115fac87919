// Change an element into another one in place. Elements stay where both have the same id or are the same choice, or have
// the same name at the same place. What is in use stays: the focus, open dialogs, text in fields, choices made.
export const TEXT = "textarea, select, input:not([type=hidden], [type=checkbox], [type=radio], [type=submit], [type=button])";
const CHOICE = "input[type=checkbox][name], input[type=radio][name]";

// Controls that somebody used since the page came or their form was reset, and choices of a form that were held, also of
// those that are not offered at present.
const used = new WeakSet();
const held = new WeakMap(); // by form
for (const name of ["input", "change"]) document.addEventListener(name, (event) => used.add(event.target), true);
document.addEventListener("reset", (event) => {
  for (const field of event.target.elements) used.delete(field);
  held.delete(event.target);
}, true);

// Whether a field differs from what the page came with.
export function changed(field) {
  if (field instanceof HTMLSelectElement) {
    const first = Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
    return field.selectedIndex !== first;
  }
  return field.type === "file" ? field.files.length > 0 : field.value !== field.defaultValue;
}

function within(element, selector) {
  return [...(element.matches(selector) ? [element] : []), ...element.querySelectorAll(selector)];
}

// Whether it has an open dialog or text that would be lost with it.
export function unsaved(element) {
  return within(element, "dialog[open]").length > 0 || within(element, TEXT).some(changed);
}

function inUse(node) {
  if (!(node instanceof Element)) return false;
  return unsaved(node) || (document.activeElement?.matches(TEXT) && node.contains(document.activeElement));
}

// Somebody has seen what is in an open dialog, so that it stays like what was used. Radio buttons stay together.
function holds(field) {
  if (used.has(field) || field.closest("dialog[open]")) return true;
  if (field.type !== "radio" || !field.form) return false;
  return [...field.form.elements].some((one) => one.name === field.name && used.has(one));
}

function choice(field) {
  return `${field.type} ${field.name}=${field.value}`;
}

// Returns the node that is in the document afterwards: `old`, or `fresh` where their kinds differ.
export function merge(old, fresh) {
  if (!(old instanceof Element)) return mergeNode(old, fresh);
  const groups = new Set();
  for (const field of within(old, CHOICE).filter(holds)) {
    groups.add(field.name);
    const form = field.form ?? document;
    if (!held.has(form)) held.set(form, new Map());
    held.get(form).set(choice(field), field.checked);
  }
  const current = mergeNode(old, fresh);
  for (const field of groups.size ? within(current, CHOICE) : []) {
    const before = held.get(field.form ?? document)?.get(choice(field));
    const joined = holds(field) || (field.type === "radio" && groups.has(field.name));
    if (before !== undefined || joined) field.checked = before ?? false; // what is offered since is not chosen
  }
  return current;
}

function mergeNode(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (!(old instanceof Element)) {
    old.data = fresh.data;
    return old;
  }
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.matches(TEXT) && (holds(old) || inUse(old))) return old;
  mergeAttributes(old, fresh);
  mergeChildren(old, fresh);
  return old;
}

function mergeAttributes(old, fresh) {
  const own = (name) => name === "open" && old.matches("dialog, details");
  for (const { name } of [...old.attributes]) if (!own(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// A node or the next of its siblings that is no notice, which page.js puts into an open dialog.
function beyondNotices(node) {
  return node instanceof Element && node.matches("[data-stays]") ? beyondNotices(node.nextSibling) : node;
}

function mergeChildren(old, fresh) {
  let at = beyondNotices(old.firstChild);
  for (const next of [...fresh.childNodes]) {
    const match = counterpart(old, at, next);
    if (!match) {
      old.insertBefore(next, at);
      continue;
    }
    if (match === at) at = beyondNotices(at.nextSibling);
    else if (old.moveBefore) old.moveBefore(match, at); // keeps focus and open dialogs
    else old.insertBefore(match, at);
    mergeNode(match, next);
  }
  while (at) {
    const rest = at;
    at = beyondNotices(at.nextSibling);
    if (!inUse(rest)) rest.remove();
  }
}

// An id, or the choice that an element is or that a label is for; empty for all others.
function keyOf(node) {
  if (!(node instanceof Element)) return "";
  if (node.id) return `#${node.id}`;
  const field = node.matches(CHOICE) ? node : node.matches("label") && node.querySelector(CHOICE);
  return field ? choice(field) : "";
}

function counterpart(old, at, next) {
  const key = keyOf(next);
  if (key) return [...old.children].find((child) => keyOf(child) === key && child.nodeName === next.nodeName);
  return at && !keyOf(at) && at.nodeName === next.nodeName ? at : undefined;
}
