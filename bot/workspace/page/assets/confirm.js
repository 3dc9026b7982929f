// "Are you sure?", as a bot asks it before something is pressed.

import { h } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";

/** Resolves to whether the person goes on; at once where the bot asks nothing. */
export function confirmed(definition) {
  if (!definition) return Promise.resolve(true);
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "modal small", "aria-labelledby": "confirm-title", "data-testid": "confirm" });
    const answer = (yes) => {
      dialog.remove();
      resolve(yes);
    };
    const text = definition.text.type === "mrkdwn" ? mrkdwn(definition.text.text) : [h("p", {}, definition.text.text)];
    const style = definition.style === "danger" ? "button danger" : "button primary";
    dialog.append(
      h("header", {}, h("h2", { id: "confirm-title" }, definition.title.text)),
      h("div", { class: "modal-body prose" }, ...text),
      h("footer", {},
        h("button", { class: "button", type: "button", onclick: () => answer(false) }, definition.deny.text),
        h("button", { class: style, type: "button", "data-testid": "confirm-yes", onclick: () => answer(true) }, definition.confirm.text)));
    dialog.addEventListener("cancel", () => answer(false));
    document.body.append(dialog);
    dialog.showModal();
  });
}
