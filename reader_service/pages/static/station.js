// Station: a reject is announced and heard.
import { announce } from "./live.js";
import { soundButton, tone } from "./sound.js";

soundButton(document.getElementById("sound"));

document.addEventListener("part", ({ detail: { part } }) => {
  if (part.dataset.alarm) {
    announce(part.dataset.announce);
    tone(part.dataset.alarm);
  }
});
