// Elements that let people choose: selects, check boxes, radio buttons, suggestions by the bot.

import { h } from "./dom.js";
import { mrkdwnLine } from "./mrkdwn.js";
import { isDirect, store } from "./store.js";

const PAUSE = 200; // milliseconds without typing before the bot is asked for suggestions

/** A text object as nodes. */
export function textOf(object) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwnLine(object.text) : [object.text];
}

const everyOption = (element) => element.options ?? element.option_groups.flatMap((group) => group.options);

function people() {
  return [...store.people.values()].filter((each) => !each.is_bot).map((each) => [each.id, each.name]);
}

function conversations() {
  return [...store.channels.values()].filter((each) => !isDirect(each)).map((each) => [each.id, `#${each.name}`]);
}

/** A select of [value, label] pairs. */
function select(element, pairs, initial, placeholder, surface) {
  const made = h("select", { class: "field", "data-action": element.action_id, "aria-label": placeholder },
    h("option", { value: "" }, element.placeholder?.text ?? placeholder),
    ...pairs.map(([value, label]) => h("option", { value }, label)));
  made.value = initial ?? "";
  return choosing(made, element, surface, () => made.value);
}

function grouped(element, surface) {
  const option = (item) => h("option", { value: item.value }, item.text.text);
  const choices = element.option_groups?.map((group) => h("optgroup", { label: group.label.text }, ...group.options.map(option)));
  const made = h("select", { class: "field", "data-action": element.action_id, "aria-label": element.placeholder?.text ?? "Choose" },
    h("option", { value: "" }, element.placeholder?.text ?? "Choose…"), ...(choices ?? element.options.map(option)));
  made.value = element.initial_option?.value ?? "";
  return choosing(made, element, surface, () => made.value);
}

/** Boxes to tick; `type` "radio" lets one be chosen. */
function boxes(element, type, items, initial, surface) {
  const name = `${element.action_id}-${Math.random()}`;
  const made = h("div", { class: items.length > 8 ? "options long" : "options", role: type === "radio" ? "radiogroup" : "group", "data-action": element.action_id },
    ...items.map((item) => h("label", { class: "option" },
      h("input", { type, name, value: item.value, checked: initial.includes(item.value) }),
      h("span", {}, ...textOf(item.text), item.description && h("span", { class: "hint" }, ...textOf(item.description))))));
  const checked = () => [...made.querySelectorAll("input:checked")].map((input) => input.value);
  return choosing(made, element, surface, () => (type === "radio" ? checked()[0] ?? null : checked()));
}

const asOptions = (pairs) => pairs.map(([value, label]) => ({ value, text: { text: label } }));
const values = (options) => (options ?? []).map((option) => option.value);

export const choices = {
  static_select: grouped,
  users_select: (element, surface) => select(element, people(), element.initial_user, "Choose a person…", surface),
  conversations_select: (element, surface) => select(element, conversations(), element.initial_conversation ?? element.initial_channel, "Choose a channel…", surface),
  checkboxes: (element, surface) => boxes(element, "checkbox", element.options, values(element.initial_options), surface),
  radio_buttons: (element, surface) => boxes(element, "radio", element.options, [element.initial_option?.value], surface),
  multi_static_select: (element, surface) => boxes(element, "checkbox", everyOption(element), values(element.initial_options), surface),
  multi_users_select: (element, surface) => boxes(element, "checkbox", asOptions(people()), element.initial_users ?? [], surface),
  multi_conversations_select: (element, surface) => boxes(element, "checkbox", asOptions(conversations()), element.initial_conversations ?? element.initial_channels ?? [], surface),
  external_select: (element, surface) => searched(element, surface, false),
  multi_external_select: (element, surface) => searched(element, surface, true),
  overflow(element, surface) {
    const made = h("select", { class: "field overflow", "aria-label": "More" }, h("option", { value: "" }, "⋯"),
      ...element.options.map((option) => h("option", { value: option.value }, option.text.text)));
    made.addEventListener("change", () => {
      if (made.value) surface.act(element.action_id, made.value);
      made.value = "";
    });
    return made;
  },
};
choices.channels_select = choices.conversations_select;
choices.multi_channels_select = choices.multi_conversations_select;

/** A field whose options the bot suggests while one types. */
function searched(element, surface, several) {
  let chosen = several ? element.initial_options ?? [] : [element.initial_option].filter(Boolean);
  let timer = 0;
  const field = h("input", { class: "field", role: "combobox", "aria-autocomplete": "list", autocomplete: "off", "data-action": element.action_id,
    "aria-label": element.placeholder?.text ?? "Search", placeholder: element.placeholder?.text ?? "Type to search…",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
    } });
  const list = h("div", { class: "found", role: "listbox" });
  const picked = h("div", { class: "chips" });
  const made = h("div", { class: "searched" }, picked, field, list);

  async function ask() {
    if (field.value.length < (element.min_query_length ?? 3)) return list.replaceChildren();
    const answer = await surface.suggest(element.action_id, field.value);
    const options = answer?.options ?? [];
    if (!options.length) return list.replaceChildren(h("p", { class: "hint" }, "Nothing was found."));
    return list.replaceChildren(...options.map((option) => h("button", { class: "menu-item", type: "button", role: "option", "data-testid": "suggested-option",
      onclick: () => choose(option) }, ...textOf(option.text))));
  }

  function choose(option) {
    chosen = several ? [...chosen.filter((each) => each.value !== option.value), option] : [option];
    field.value = "";
    list.replaceChildren();
    draw();
    made.dispatchEvent(new Event("change"));
  }

  function draw() {
    picked.hidden = !chosen.length;
    picked.replaceChildren(...chosen.map((option) => h("button", { class: "chip", type: "button", title: "Remove",
      onclick: () => {
        chosen = chosen.filter((each) => each !== option);
        draw();
      } }, ...textOf(option.text), " ×")));
  }

  draw();
  return choosing(made, element, surface, () => (several ? chosen : chosen[0] ?? null));
}

/** Lets a surface read what is chosen, and hear of it when that changes. */
export function choosing(made, element, surface, value) {
  surface.fields?.set(element.action_id, value);
  made.addEventListener("change", () => surface.chosen?.(element.action_id, value()));
  return made;
}
