// A person's data in full are removed after a time, and at once when the page is left.
const place = document.getElementById("unmasked");

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== place) return;
  const shown = place.querySelector("[data-remove-after]");
  setTimeout(() => shown.remove(), 1000 * Number(shown.dataset.removeAfter));
});
addEventListener("pagehide", () => place.replaceChildren());
