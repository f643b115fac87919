// A person's data in full are removed after a time, and at once when the page is left.
const data = () => document.querySelectorAll("[data-remove-after]");

function removeLater() {
  for (const shown of data()) setTimeout(() => shown.remove(), 1000 * Number(shown.dataset.removeAfter));
}

document.addEventListener("htmx:afterSwap", (event) => event.detail.target.id === "unmasked" && removeLater());
addEventListener("pagehide", () => data().forEach((shown) => shown.remove()));
removeLater(); // on a page of their own, where the browser sent the form before htmx was there
