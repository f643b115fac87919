// Tones made by the browser, without files. On unless switched off; a browser plays them only after a first press on
// the page.
const STORED = "sound";
const TONES = {
  ok: [[880, 0, 0.12]],
  warn: [[520, 0, 0.16], [520, 0.24, 0.16]],
  doubt: [[700, 0, 0.12], [520, 0.18, 0.12], [700, 0.36, 0.12]],
  bad: [[300, 0, 0.3], [220, 0.36, 0.3], [300, 0.72, 0.3]],
};
let audio;

export function isOn() {
  return localStorage.getItem(STORED) !== "off";
}

export function soundButton(button) {
  const show = () => button.setAttribute("aria-pressed", String(isOn()));
  button.addEventListener("click", () => {
    localStorage.setItem(STORED, isOn() ? "off" : "on");
    show();
    tone("ok");
  });
  show();
}

export function tone(kind) {
  if (!isOn() || !(kind in TONES) || !navigator.userActivation.hasBeenActive) return;
  audio ??= new AudioContext();
  audio.resume();
  for (const [hertz, after, seconds] of TONES[kind]) {
    const from = audio.currentTime + after;
    const source = audio.createOscillator();
    const loudness = audio.createGain();
    source.type = "square";
    source.frequency.value = hertz;
    loudness.gain.setValueAtTime(0.18, from);
    loudness.gain.exponentialRampToValueAtTime(0.001, from + seconds);
    source.connect(loudness).connect(audio.destination);
    source.start(from);
    source.stop(from + seconds);
  }
}
