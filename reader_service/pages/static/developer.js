// Developer: the command history scrolls to its end, arrow keys recall earlier commands, presets fill the field.
const history = document.getElementById("history");
const field = document.getElementById("apdu");
const sent = [];
let back = 0;

const follow = (list) => list && list.scrollTo({ top: list.scrollHeight });
follow(history);
document.addEventListener("part", ({ detail: { part } }) => part.id === "trace" && follow(part));
document.addEventListener("htmx:afterSwap", (event) => event.detail.target === history && follow(history));

if (field) {
  const form = document.getElementById("send");
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowUp" && (field.value === "" || field.value === sent[back]) && sent.length) {
      event.preventDefault();
      back = Math.max(0, back - 1);
      field.value = sent[back];
    } else if (event.key === "ArrowDown" && field.value === sent[back]) {
      event.preventDefault();
      back = Math.min(sent.length, back + 1);
      field.value = sent[back] ?? "";
    }
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful || event.detail.elt !== form) return;
    const commands = event.detail.requestConfig.parameters.apdu;
    sent.push(commands.trim());
    back = sent.length;
    if (field.value === commands) field.value = ""; // else the next one was begun meanwhile
  });
  const preset = document.getElementById("preset");
  preset.addEventListener("change", () => {
    field.value = preset.value;
    field.focus();
  });
  if (preset.value) field.value ||= preset.value; // chosen before this module was there
}
