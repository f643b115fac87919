// Counter: the verdict is read out and heard, and nobody's data stay on the screen once the card is gone.
import { announce } from "./live.js";
import { soundButton, tone } from "./sound.js";

const CLEARED_AFTER = 20_000;
let clearing;

const sound = document.getElementById("sound");
if (sound) soundButton(sound);

const waiting = document.getElementById("verdict")?.cloneNode(true);

// No verdict any more, but what is waited for.
function clear(waits) {
  clearTimeout(clearing);
  const place = waiting.cloneNode(true);
  place.dataset.waits = waits;
  document.getElementById("verdict").replaceWith(place);
}

// What was true of a card before the line went down says nothing of the card that is in now.
document.addEventListener("connection", ({ detail: { there } }) => {
  if (!there && waiting) clear("nothing");
});

document.addEventListener("part", ({ detail: { part } }) => {
  if (part.id === "verdict") {
    clearTimeout(clearing);
    if (part.dataset.verdict) {
      announce(part.dataset.announce);
      tone(part.dataset.tone);
    }
  }
  if (part.id !== "counter-reader") return;
  if (part.dataset.waits === "nothing") clear("nothing");
  if (part.dataset.waits !== "insert") return;
  clearTimeout(clearing);
  if (document.getElementById("verdict").dataset.verdict) clearing = setTimeout(() => clear("insert"), CLEARED_AFTER);
  else clear("insert");
});
