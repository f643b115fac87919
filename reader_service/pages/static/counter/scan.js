// A barcode scanner types: "*", the code of what it presses (a benefit's class, a quantity, PRINT, NEXT, OK) or the number
// of a receipt, Enter. A classic script in the head, as page.js: a scanner does not wait for modules.
"use strict";
(() => {
  const SCAN_WITHIN = 2_000;
  const RECEIPT = /^[0-9A-Za-z]{8}-[0-9]{1,15}$/;
  let scanned = null;
  let scanning;

  function press(code) {
    const within = document.querySelector("dialog[open]") ?? document;
    const pressed = [...within.querySelectorAll("[data-scan]")].find((one) => one.dataset.scan === code);
    if (pressed) pressed.click();
    else if (RECEIPT.test(code)) location.assign(`/counter/receipts?number=${code}`);
    else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => press(code), { once: true });
  }

  document.addEventListener(
    "keydown",
    (event) => {
      if (scanned === null && (event.key !== "*" || event.target.matches("input, textarea"))) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      clearTimeout(scanning);
      scanning = setTimeout(() => (scanned = null), SCAN_WITHIN);
      if (event.key === "*") scanned = "";
      else if (event.key === "Enter") {
        const code = scanned;
        scanned = null;
        press(code);
      } else if (event.key.length === 1) scanned += event.key;
    },
    true,
  );
})();
