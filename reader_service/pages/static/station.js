// Station: what a reject sounds like, who is told of it, and which reader the start dialog begins with.
import { announce } from "./live.js";
import { soundButton, tone } from "./sound.js";

soundButton(document.getElementById("sound"));

document.addEventListener("part", ({ detail: { part } }) => {
  if (part.dataset.alarm) {
    announce(part.dataset.announce);
    tone(part.dataset.alarm);
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open=start]");
  if (opener) htmx.ajax("GET", `/station/choices?only=${encodeURIComponent(opener.dataset.only ?? "")}`, "#start-choices");
});
