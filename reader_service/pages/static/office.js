// A form in a dialog whose answer stands beside it: close and clear the dialog once the answer is there.
document.addEventListener("htmx:afterSwap", (event) => {
  const open = event.detail.requestConfig?.elt?.closest("dialog[open]");
  if (!open || open.contains(event.detail.target)) return;
  open.close();
  for (const form of open.querySelectorAll("form")) form.reset();
  event.detail.target.scrollIntoView({ block: "nearest" });
});
