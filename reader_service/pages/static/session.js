// A session that ends while somebody enters something: the page stays as it is, says so, and goes on once the same user is
// signed in again, here or in another tab. A page with nothing to lose goes to the sign-in page.
import { forget, keepsAll } from "./drafts.js";
import { unsaved } from "./merge.js";

const LEAVE_CHECK = 1_000;
const SIGN_IN = "/login";
const user = document.body.dataset.user;
const banner = (name) => document.getElementById(name);
let over = false;
let leaving;

// What the page must not do while somebody is at work on it is tried again until it may.
function leave(address, busy) {
  clearTimeout(leaving);
  if (busy()) leaving = setTimeout(() => leave(address, busy), LEAVE_CHECK);
  else location.assign(address);
}

const signIn = () => banner("ended").querySelector("a").href;

export function ended() {
  if (!over) {
    over = true;
    banner("resumed").hidden = true;
    banner("ended").hidden = !unsaved(document.body);
    banner("ended").querySelector("[data-here]").hidden = !keepsAll();
  }
  leave(signIn(), () => unsaved(document.body));
}

// Follow the redirect of a response. `sender` is the open dialog whose form was sent, if any: what was entered in another
// one meanwhile is finished first.
export function redirected(address, sender) {
  if (user && address.startsWith(`${SIGN_IN}?next=`)) {
    ended();
    return;
  }
  leave(address, () => {
    const at = document.querySelector("dialog[open]");
    if (at && at !== sender) return true;
    forget();
    return false;
  });
}

// Whether the page's user is signed in, as far as known. The page takes over the secret of another session of theirs.
export async function check() {
  const response = await fetch("/api/v1/session").catch(() => undefined);
  if (response?.status === 401) ended();
  if (!response?.ok) return false;
  const me = await response.json();
  banner("other-user").hidden = me.name === user;
  banner("ended").hidden ||= me.name !== user;
  if (me.name !== user) return false;
  const renewed = me.csrf !== secret();
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF-Token": me.csrf }));
  for (const field of document.querySelectorAll("input[name=csrf]")) field.value = me.csrf;
  if (over) resume();
  return renewed;
}

function resume() {
  over = false;
  clearTimeout(leaving);
  banner("ended").hidden = true;
  banner("resumed").hidden = false;
  document.dispatchEvent(new Event("resume"));
}

const secret = () => document.querySelector("#press input[name=csrf]").value;
const tabs = new BroadcastChannel("session");
if (user) {
  tabs.postMessage(secret());
  tabs.addEventListener("message", ({ data }) => data !== secret() && check());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && check());
} else if (location.pathname === SIGN_IN) {
  tabs.addEventListener("message", () => location.replace(location.href));
}
