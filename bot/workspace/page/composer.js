// Where people write: Enter sends, Shift+Enter makes a new line, @ and # suggest.

import { avatar } from "./avatar.js";
import { h, icon, ICONS } from "./dom.js";
import { store } from "./store.js";

const TALLEST = 220; // pixels
const drafts = new Map();

/** A composer; `send(text)` returns whether the text is gone. Call `show(place, hint)` on it. */
export function composer(testid, send) {
  let place = "";
  let choices = [];
  let chosen = 0;
  const field = h("textarea", { rows: 1, "data-testid": testid, "aria-label": "Message", oninput: () => typed(), onkeydown: pressed });
  const button = h("button", { class: "send", type: "button", title: "Send (Enter)", "aria-label": "Send", onclick: submit }, icon(ICONS.send));
  const menu = h("div", { class: "suggestions", role: "listbox", hidden: true });
  const box = h("div", { class: "composer" }, menu, field, button);

  function typed() {
    drafts.set(place, field.value);
    button.disabled = !field.value.trim();
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, TALLEST)}px`;
    suggest();
  }

  async function submit() {
    const text = field.value;
    if (!text.trim()) return;
    field.value = "";
    typed();
    if (!(await send(text)) && !field.value) {
      field.value = text;
      typed();
    }
    field.focus();
  }

  function pressed(event) {
    if (event.isComposing) return;
    if (!menu.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : choices.length - 1)) % choices.length;
      draw();
    } else if (!menu.hidden && ["Enter", "Tab"].includes(event.key)) {
      event.preventDefault();
      take(choices[chosen]);
    } else if (!menu.hidden && event.key === "Escape") {
      event.preventDefault();
      menu.hidden = true;
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
  }

  function word() {
    return /(?:^|\s)([@#])([\w-]*)$/.exec(field.value.slice(0, field.selectionStart));
  }

  function suggest() {
    const match = word();
    choices = match ? candidates(match[1], match[2].toLowerCase()) : [];
    chosen = 0;
    menu.hidden = !choices.length;
    draw();
  }

  function draw() {
    menu.replaceChildren(...choices.map((choice, index) =>
      h("button", { type: "button", role: "option", class: "suggestion", "aria-selected": String(index === chosen),
        onmousedown: (event) => { event.preventDefault(); take(choice); } },
      choice.face, h("span", {}, choice.label), h("span", { class: "soft" }, choice.note))));
  }

  function take(choice) {
    const end = field.selectionStart;
    const start = end - word()[2].length - 1;
    field.setRangeText(`${choice.text} `, start, end, "end");
    typed();
    field.focus();
  }

  return {
    element: box,
    focus: () => field.focus(),
    isEmpty: () => !field.value.trim(),
    show(nextPlace, hint) {
      field.placeholder = hint;
      if (nextPlace === place) return;
      place = nextPlace;
      field.value = drafts.get(place) ?? "";
      typed();
      menu.hidden = true;
    },
  };
}

function candidates(sign, beginning) {
  const starts = (name) => name.toLowerCase().startsWith(beginning);
  if (sign === "#") {
    return [...store.channels.values()].filter((item) => item.kind === "channel" && starts(item.name))
      .map((item) => ({ text: `#${item.name}`, label: item.name, note: item.topic, face: h("span", { class: "hash" }, "#") }));
  }
  const people = [...store.people.values()].filter((item) => item.id !== store.me && starts(item.name));
  people.sort((first, second) => Number(second.is_bot) - Number(first.is_bot));
  return people.map((item) => ({ text: `@${item.name}`, label: item.name, note: item.is_bot ? "App" : item.title, face: avatar(item, "small") }));
}
