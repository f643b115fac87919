// Change an element into another one in place. Elements stay where both have the same id, or the same name at the same
// place. What is in use stays: the focus, open dialogs, text in fields, choices made.
const TEXT = "textarea, select, input:not([type=hidden], [type=checkbox], [type=radio], [type=submit], [type=button])";

// Whether a field differs from what the page came with.
function changed(field) {
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

// Returns the node that is in the document afterwards: `old`, or `fresh` where their kinds differ.
export function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return old;
  if (!(old instanceof Element)) {
    old.data = fresh.data;
    return old;
  }
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.matches(TEXT) && inUse(old)) return old;
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

function mergeChildren(old, fresh) {
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const match = counterpart(old, at, next);
    if (!match) {
      old.insertBefore(next, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else if (old.moveBefore) old.moveBefore(match, at); // keeps focus and open dialogs
    else old.insertBefore(match, at);
    merge(match, next);
  }
  while (at) {
    const rest = at;
    at = at.nextSibling;
    if (!inUse(rest)) rest.remove();
  }
}

function counterpart(old, at, next) {
  if (next.id) return [...old.children].find((child) => child.id === next.id && child.nodeName === next.nodeName);
  return at && !at.id && at.nodeName === next.nodeName ? at : undefined;
}
