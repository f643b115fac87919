// Counter: the verdict is read out and heard, and nobody's data stay on the screen once the card is gone.
import { announce } from "./live.js";
import { soundButton, tone } from "./sound.js";

const CLEARED_AFTER = 20_000;
let clearing;

const sound = document.getElementById("sound");
if (sound) soundButton(sound);

document.getElementById("reader")?.addEventListener("change", (event) => event.target.form.submit());

const verdict = document.getElementById("verdict");
const waiting = verdict?.cloneNode(true);

document.addEventListener("part", ({ detail: { part } }) => {
  if (part.id === "verdict") {
    clearTimeout(clearing);
    if (part.dataset.verdict) {
      announce(part.dataset.announce);
      tone(part.dataset.tone);
    }
  }
  if (part.id === "counter-reader" && part.dataset.empty === "yes") {
    const shown = document.getElementById("verdict");
    if (!shown.dataset.verdict) {
      shown.replaceWith(waiting.cloneNode(true));
      return;
    }
    clearTimeout(clearing);
    clearing = setTimeout(() => document.getElementById("verdict").replaceWith(waiting.cloneNode(true)), CLEARED_AFTER);
  }
});
