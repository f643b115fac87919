// A barcode scanner types: "*", the code of what it presses (a benefit's class, a quantity, PRINT, NEXT, OK) or the number
// of a receipt, Enter.
const SCAN_WITHIN = 2_000;
const RECEIPT = /^[0-9A-Za-z]{8}-[0-9]{1,15}$/;
let scanned = null;
let scanning;
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
      const within = document.querySelector("dialog[open]") ?? document;
      const code = scanned;
      scanned = null;
      const pressed = [...within.querySelectorAll("[data-scan]")].find((one) => one.dataset.scan === code);
      if (pressed) pressed.click();
      else if (RECEIPT.test(code)) location.assign(`/counter/receipts?number=${code}`);
    } else if (event.key.length === 1) scanned += event.key;
  },
  true,
);
