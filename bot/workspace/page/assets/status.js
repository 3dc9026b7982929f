// The line that says an answer is on its way.

import { avatar } from "./avatar.js";
import { h } from "./dom.js";
import { stopButton } from "./actions.js";
import { person, store } from "./store.js";

const TURN = 2200; // milliseconds each loading message stays

export function statusText(status) {
  const messages = status.loading_messages;
  if (messages.length) return messages[Math.floor(Date.now() / TURN) % messages.length];
  return `${person(store.bot).name} ${status.text}`;
}

export function renderStatus(status) {
  const line = h("span", { class: "soft" }, statusText(status));
  const timer = setInterval(() => {
    if (line.isConnected) line.textContent = statusText(status);
    else clearInterval(timer);
  }, 400);
  return h("div", { class: "thinking", "data-testid": "status" }, avatar(person(store.bot)),
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), line,
    status.can_stop && stopButton(store.channel, status.thread_ts));
}
