// The parts of blocks people press, choose and type in.
//
// A surface has `act(actionId, value)`, called when something is pressed or chosen; `feedback`,
// what this person pressed before by action id; `suggest(actionId, typed)`, which asks the bot
// for options; and `fields`, a Map filled with a function by action id that reads the value.

import { choices, choosing, textOf } from "./choices.js";
import { confirmed } from "./confirm.js";
import { h, icon, ICONS, link } from "./dom.js";
import { addressOf } from "./files.js";

const makers = {
  ...choices,
  button(element, surface) {
    const style = `button ${element.style ?? ""}`;
    if (/^https?:\/\//i.test(element.url ?? "")) {
      const made = link(element.url, ...textOf(element.text));
      made.className = style;
      made.addEventListener("click", () => surface.act(element.action_id, null));
      return made;
    }
    const press = async () => (await confirmed(element.confirm)) && surface.act(element.action_id, null);
    return h("button", { class: style, type: "button", "data-testid": "button", "data-action": element.action_id, "aria-label": element.accessibility_label,
      onclick: (event) => whilePressed(event.currentTarget, press) },
    ...textOf(element.text));
  },
  feedback_buttons(element, surface) {
    const chosen = surface.feedback?.[element.action_id];
    return h("span", { class: "feedback", role: "group", "aria-label": "Was this helpful?" },
      feedbackButton(element, "positive", ICONS.up, chosen, surface),
      feedbackButton(element, "negative", ICONS.down, chosen, surface));
  },
  icon_button(element, surface) {
    return h("button", { class: "tool", type: "button", title: element.text.text, "aria-label": element.text.text,
      onclick: () => surface.act(element.action_id, null) }, icon(element.icon === "trash" ? ICONS.bin : ICONS.cross));
  },
  plain_text_input(element, surface) {
    const tag = element.multiline ? "textarea" : "input";
    return typing(element, surface, h(tag, { class: "field", placeholder: element.placeholder?.text, maxlength: element.max_length,
      rows: element.multiline ? 4 : null, "data-action": element.action_id }), element.initial_value);
  },
  email_text_input: (element, surface) => input(element, surface, "email", element.initial_value),
  url_text_input: (element, surface) => input(element, surface, "url", element.initial_value),
  number_input: (element, surface) => input(element, surface, "number", element.initial_value),
  datepicker: (element, surface) => input(element, surface, "date", element.initial_date),
  timepicker: (element, surface) => input(element, surface, "time", element.initial_time),
  image: (element) => image(element, "thumbnail"),
};

export function element(definition, surface) {
  const make = makers[definition.type];
  return make ? make(definition, surface) : h("span", { class: "soft" }, `[${definition.type}]`);
}

/** A picture from an address, or from a file in the workspace. */
export function image(definition, style) {
  const file = definition.slack_file;
  const src = file ? addressOf(file.id ?? /-(F[A-Z0-9]+)\//.exec(file.url ?? "")?.[1] ?? "") : definition.image_url ?? "";
  if (!file && !/^https?:\/\//i.test(src)) return h("span", { class: "soft" }, definition.alt_text);
  return h("img", { class: style, src, alt: definition.alt_text, loading: "lazy" });
}

function input(element, surface, type, initial) {
  return typing(element, surface, h("input", { class: "field", type, placeholder: element.placeholder?.text, "data-action": element.action_id,
    min: element.min_value, max: element.max_value, step: element.is_decimal_allowed ? "any" : null,
    "aria-label": element.placeholder?.text }), initial);
}

function typing(element, surface, made, initial) {
  made.value = initial ?? "";
  return choosing(made, element, surface, () => made.value);
}

function feedbackButton(definition, side, path, chosen, surface) {
  const button = definition[`${side}_button`];
  const label = button.accessibility_label ?? button.text.text;
  return h("button", { class: "feedback-button", type: "button", title: button.text.text, "aria-label": label,
    "aria-pressed": String(chosen === button.value), "data-testid": `feedback-${side}`,
    onclick: (event) => whilePressed(event.currentTarget, () => surface.act(definition.action_id, button.value)) },
  icon(path));
}

async function whilePressed(button, action) {
  button.disabled = true;
  await action();
  button.disabled = false;
}
