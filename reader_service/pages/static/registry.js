// A person's data in clear leave the screen by themselves, and at once when the page is left.
const place = document.getElementById("unmasked");

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target !== place) return;
  const shown = place.querySelector("[data-gone]");
  setTimeout(() => shown.remove(), 1000 * Number(shown.dataset.gone));
});
addEventListener("pagehide", () => place.replaceChildren());
