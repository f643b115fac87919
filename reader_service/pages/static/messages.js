// Messages: a success leaves by itself, also one that came with the page; warnings and errors stay until they are closed.
const STAYS = 10_000;
const TICK = 500;

const place = document.getElementById("messages");

// Time counts only while somebody can have read it: the page is visible, and neither pointer nor focus is on the message.
function leave(message) {
  let left = STAYS;
  const clock = setInterval(() => {
    left = document.hidden || message.matches(":hover, :focus-within") ? STAYS : left - TICK;
    if (left <= 0) message.remove();
    if (!message.isConnected) clearInterval(clock);
  }, TICK);
}

function watch(nodes) {
  for (const node of nodes) if (node instanceof Element && node.matches(".notice.ok")) leave(node);
}

watch(place.children);
new MutationObserver((changes) => changes.forEach((change) => watch(change.addedNodes))).observe(place, { childList: true });
