import { check, redirected } from "./session.js";

// Upload of the form with a progress bar: dropped, chosen, or sent by the button.
const form = document.getElementById("upload");
if (form) prepare(form);

function prepare(form) {
  const drop = document.getElementById("drop");
  const input = form.elements.namedItem("form");
  const result = document.getElementById("result");
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length !== 1) {
      result.replaceChildren(notice(form.dataset.one));
      return;
    }
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change"));
    form.requestSubmit();
  });
  const showChosen = () => (document.getElementById("chosen").textContent = input.files[0]?.name ?? "–");
  input.addEventListener("change", showChosen);
  showChosen(); // chosen before this module was there
  form.addEventListener("submit", (event) => {
    if (event.submitter?.hasAttribute("formaction")) return; // the annotated copy is an ordinary download
    event.preventDefault();
    send(form, result);
  });
}

function headers() {
  return { "HX-Request": "true", ...JSON.parse(document.body.getAttribute("hx-headers")) };
}

function notice(text) {
  const line = document.createElement("p");
  line.className = "notice bad";
  line.textContent = text;
  return line;
}

function send(form, result) {
  // Checked here, as a service that refuses a body midway closes the connection, and a browser then shows no reason.
  if (form.elements.namedItem("form").files[0].size > Number(form.dataset.most)) {
    result.replaceChildren(notice(form.dataset.large));
    return;
  }
  const request = new XMLHttpRequest();
  const shown = document.getElementById("sending");
  const text = document.getElementById("sending-text");
  const bar = document.getElementById("sent");
  const button = form.querySelector("button[type=submit]");
  const end = () => {
    shown.hidden = true;
    button.disabled = false;
  };
  request.upload.addEventListener("progress", (event) => {
    bar.value = Math.round((100 * event.loaded) / event.total);
    if (event.loaded === event.total) {
      text.textContent = form.dataset.checking;
      bar.removeAttribute("value");
    }
  });
  const show = () => (result.innerHTML = request.responseText);
  request.addEventListener("load", () => {
    end();
    const redirect = request.getResponseHeader("HX-Redirect");
    if (request.getResponseHeader("Problem") === "csrf") check().then((renewed) => (renewed ? send(form, result) : show()));
    else if (redirect) redirected(redirect);
    else show();
  });
  request.addEventListener("error", () => {
    end();
    result.replaceChildren(notice(form.dataset.lost));
  });
  result.replaceChildren();
  text.textContent = form.dataset.sending;
  bar.value = 0;
  shown.hidden = false;
  button.disabled = true;
  request.open("POST", form.action);
  for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
  request.send(new FormData(form));
}
