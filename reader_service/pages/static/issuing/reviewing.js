// Rows in clear: one is current; keys mark it and go on. Nothing stays when the page is left.
const clear = document.getElementById("clear");
const rows = () => [...clear.querySelectorAll("tr[data-review]")];
const current = () => clear.querySelector("tr[aria-current]");

function go(row) {
  if (!row || row === current()) return;
  current()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  row.scrollIntoView({ block: "nearest" });
  if (row.contains(document.activeElement)) return;
  row.tabIndex = -1; // keys work while no field has the focus
  row.focus({ preventScroll: true });
}

function beside(step) {
  const all = rows();
  go(all[all.indexOf(current()) + step]);
}

const press = (value) => current()?.querySelector(`button[value=${value}]`)?.click();

const orders = {
  "review-next": () => press("right"),
  "review-doubt": () => current()?.querySelector("input[name=note]")?.focus(),
  "review-previous": () => beside(-1),
};

clear.addEventListener("click", (event) => orders[event.target.closest("button")?.id]?.());
clear.addEventListener("focusin", (event) => go(event.target.closest("tr[data-review]")));

document.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  if (target.id === "clear") go(rows().find((row) => !row.dataset.review) ?? rows()[0]);
  else if (target.id.startsWith("mark-")) {
    const row = target.closest("tr");
    if (row === current()) beside(1);
  }
});
addEventListener("pagehide", () => clear.replaceChildren());
