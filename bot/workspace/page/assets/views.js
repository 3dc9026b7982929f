// Modals and the App Home.

import { avatar } from "./avatar.js";
import { renderBlocks } from "./blocks.js";
import { h, icon, ICONS } from "./dom.js";
import { act } from "./server.js";
import { person, store } from "./store.js";

let shownModal = "";
let shownHome = "";

function surfaceOf(view) {
  const fields = new Map();
  const answers = () => Object.fromEntries([...fields].map(([id, read]) => [id, read()]));
  const dispatching = new Set(view.blocks.filter((block) => block.type !== "input" || block.dispatch_action)
    .flatMap((block) => [block.accessory, block.element, ...(block.elements ?? [])]).map((item) => item?.action_id));
  const press = (action, value) => act("click-view", { view_id: view.id, action_id: action, value, answers: answers() });
  return {
    fields,
    answers,
    act: press,
    suggest: (action, typed) => act("suggest", { place: { view_id: view.id }, action_id: action, typed }),
    chosen: (action, value) => dispatching.has(action) && press(action, value),
  };
}

/** Shows the modal the bot opened for this person, or none. */
export function renderModal(dialog) {
  const view = store.modal;
  const mark = view ? `${view.id}-${view.hash}` : "";
  if (mark === shownModal) return;
  shownModal = mark;
  if (!view) {
    dialog.close();
    dialog.replaceChildren();
    return;
  }
  const surface = surfaceOf(view);
  const close = () => act("close-view", { view_id: view.id });
  const form = h("form", { method: "dialog", "data-testid": "modal", onsubmit: (event) => submit(event, view, surface) },
    h("header", {}, avatar(person(store.bot), "small"), h("h2", { id: "modal-title" }, view.title.text),
      h("button", { class: "tool", type: "button", title: "Close", "aria-label": "Close", onclick: close }, icon(ICONS.close))),
    h("div", { class: "modal-body" }, ...renderBlocks(view.blocks, surface)),
    h("footer", {},
      h("button", { class: "button", type: "button", onclick: close }, view.close?.text ?? "Cancel"),
      view.submit && h("button", { class: "button primary", type: "submit", "data-testid": "submit" }, view.submit.text)));
  dialog.oncancel = (event) => {
    event.preventDefault();
    close();
  };
  dialog.setAttribute("aria-labelledby", "modal-title");
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
  dialog.querySelector(".field, input")?.focus();
}

async function submit(event, view, surface) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const answer = await act("submit", { view_id: view.id, answers: surface.answers() });
  button.disabled = false;
  for (const block of form.querySelectorAll("[data-block]")) {
    const problem = answer?.errors?.[block.dataset.block] ?? "";
    block.querySelector(".problem").textContent = problem;
    const field = block.querySelector(".field, [role=group], [role=radiogroup]");
    field?.setAttribute("aria-invalid", String(Boolean(problem)));
  }
  form.querySelector("[aria-invalid=true]")?.focus();
}

/** Shows the bot's App Home for this person. */
export function renderHome(container) {
  const view = store.home;
  const mark = view ? `${view.id}-${view.hash}` : `none-${store.me}`;
  if (mark === shownHome) return;
  shownHome = mark;
  if (!view) {
    container.replaceChildren(h("div", { class: "empty" }, h("p", {}, `${person(store.bot).name} has nothing to show here yet.`)));
    return;
  }
  container.replaceChildren(h("div", { class: "home", "data-testid": "home" }, ...renderBlocks(view.blocks, surfaceOf(view))));
}
