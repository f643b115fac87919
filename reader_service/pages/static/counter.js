// Counter: a verdict is announced and heard, and leaves the screen after the card was taken out.
import { announce } from "./live.js";
import { soundButton, tone } from "./sound.js";

const CLEARED_AFTER = 20_000;
let clearing;

const sound = document.getElementById("sound");
if (sound) soundButton(sound);

const waiting = document.getElementById("verdict")?.cloneNode(true);

// Replace the verdict by what the page asks for.
function clear(waits) {
  clearTimeout(clearing);
  const place = waiting.cloneNode(true);
  place.dataset.waits = waits;
  document.getElementById("verdict").replaceWith(place);
}

// A verdict from before the connection was lost says nothing about the card that is in the reader now.
document.addEventListener("connection", ({ detail: { there } }) => {
  if (!there && waiting) clear("nothing");
});

document.addEventListener("part", ({ detail: { part } }) => {
  if (part.id === "verdict") {
    clearTimeout(clearing);
    if (part.dataset.verdict) {
      announce(part.dataset.announce);
      tone(part.dataset.tone);
      part.querySelector("[autofocus]")?.focus();
    }
  }
  if (part.id === "redeem" && part.dataset.announce) {
    announce(part.dataset.announce);
    tone(part.dataset.tone);
    part.querySelector("[autofocus]")?.focus();
  }
  if (part.id !== "counter-reader") return;
  if (part.dataset.waits === "nothing") clear("nothing");
  if (part.dataset.waits !== "insert") return;
  clearTimeout(clearing);
  if (document.getElementById("verdict").dataset.verdict) clearing = setTimeout(() => clear("insert"), CLEARED_AFTER);
  else clear("insert");
});

// What was chosen is on its way: its dialog closes, and nothing in it is kept for the result that takes its place.
document.addEventListener("htmx:beforeSend", ({ target }) => {
  const form = target.closest("#redeem form");
  form?.closest("dialog")?.close();
  form?.reset();
});
