// The parts of blocks people press, choose and type in.
//
// A surface has `act(actionId, value)`, called when something is pressed or chosen; `feedback`,
// what this person pressed before by action id; and `fields`, a Map this module fills with a
// function by action id that reads the current value.

import { h, icon, ICONS, link } from "./dom.js";
import { mrkdwnLine } from "./mrkdwn.js";
import { store } from "./store.js";

/** A text object as nodes. */
export function textOf(object) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwnLine(object.text) : [object.text];
}

const makers = {
  button(element, surface) {
    const style = `button ${element.style ?? ""}`;
    if (/^https?:\/\//i.test(element.url ?? "")) {
      const made = link(element.url, ...textOf(element.text));
      made.className = style;
      made.addEventListener("click", () => surface.act(element.action_id, null));
      return made;
    }
    return h("button", { class: style, type: "button", "data-testid": "button", "data-action": element.action_id,
      onclick: (event) => whilePressed(event.currentTarget, () => surface.act(element.action_id, null)) },
    ...textOf(element.text));
  },
  feedback_buttons(element, surface) {
    const chosen = surface.feedback?.[element.action_id];
    return h("span", { class: "feedback", role: "group", "aria-label": "Was this helpful?" },
      feedbackButton(element, "positive", ICONS.up, chosen, surface),
      feedbackButton(element, "negative", ICONS.down, chosen, surface));
  },
  icon_button(element, surface) {
    return h("button", { class: "tool", type: "button", title: element.text.text,
      onclick: () => surface.act(element.action_id, null) }, icon(ICONS.cross));
  },
  plain_text_input(element, surface) {
    const tag = element.multiline ? "textarea" : "input";
    const made = h(tag, { class: "field", placeholder: element.placeholder?.text, maxlength: element.max_length,
      rows: element.multiline ? 4 : null, "data-action": element.action_id });
    made.value = element.initial_value ?? "";
    surface.fields?.set(element.action_id, () => made.value);
    return made;
  },
  static_select(element, surface) {
    const made = h("select", { class: "field", "data-action": element.action_id },
      h("option", { value: "" }, element.placeholder?.text ?? "Choose…"),
      ...element.options.map((option) => h("option", { value: option.value }, option.text.text)));
    made.value = element.initial_option?.value ?? "";
    return choosing(made, element, surface, () => made.value);
  },
  users_select(element, surface) {
    const people = [...store.people.values()].filter((person) => !person.is_bot);
    const made = h("select", { class: "field", "data-action": element.action_id },
      h("option", { value: "" }, element.placeholder?.text ?? "Choose a person…"),
      ...people.map((person) => h("option", { value: person.id }, person.name)));
    made.value = element.initial_user ?? "";
    return choosing(made, element, surface, () => made.value);
  },
  conversations_select(element, surface) {
    const channels = [...store.channels.values()].filter((channel) => channel.kind !== "im");
    const made = h("select", { class: "field", "data-action": element.action_id },
      h("option", { value: "" }, element.placeholder?.text ?? "Choose a channel…"),
      ...channels.map((channel) => h("option", { value: channel.id }, `#${channel.name}`)));
    made.value = element.initial_channel ?? element.initial_conversation ?? "";
    return choosing(made, element, surface, () => made.value);
  },
  checkboxes(element, surface) {
    const initial = (element.initial_options ?? []).map((option) => option.value);
    const made = options(element, "checkbox", initial);
    return choosing(made, element, surface, () => checked(made));
  },
  radio_buttons(element, surface) {
    const made = options(element, "radio", [element.initial_option?.value]);
    return choosing(made, element, surface, () => checked(made)[0] ?? null);
  },
  overflow(element, surface) {
    const made = h("select", { class: "field overflow", "aria-label": "More" }, h("option", { value: "" }, "⋯"),
      ...element.options.map((option) => h("option", { value: option.value }, option.text.text)));
    made.addEventListener("change", () => {
      if (made.value) surface.act(element.action_id, made.value);
      made.value = "";
    });
    return made;
  },
  image: (element) => image(element, "thumbnail"),
};
makers.multi_static_select = makers.checkboxes;
makers.channels_select = makers.conversations_select;

export function element(definition, surface) {
  const make = makers[definition.type];
  return make ? make(definition, surface) : h("span", { class: "soft" }, `[${definition.type}]`);
}

export function image(definition, style) {
  if (!/^https?:\/\//i.test(definition.image_url ?? "")) return h("span", { class: "soft" }, definition.alt_text);
  return h("img", { class: style, src: definition.image_url, alt: definition.alt_text, loading: "lazy" });
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

function choosing(made, definition, surface, value) {
  surface.fields?.set(definition.action_id, value);
  made.addEventListener("change", () => surface.chosen?.(definition.action_id, value()));
  return made;
}

function options(definition, type, initial) {
  const name = `${definition.action_id}-${Math.random()}`;
  return h("div", { class: "options", "data-action": definition.action_id }, ...definition.options.map((option) =>
    h("label", { class: "option" },
      h("input", { type, name, value: option.value, checked: initial.includes(option.value) }),
      h("span", {}, ...textOf(option.text),
        option.description && h("span", { class: "hint" }, ...textOf(option.description))))));
}

function checked(container) {
  return [...container.querySelectorAll("input:checked")].map((input) => input.value);
}
