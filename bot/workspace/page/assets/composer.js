// Where people write: Enter sends, Shift+Enter makes a new line, @, # and / suggest, files attach.

import { h, icon, ICONS } from "./dom.js";
import { chip } from "./files.js";
import { pickEmoji } from "./actions.js";
import { upload } from "./server.js";
import { suggestionsFor } from "./suggestions.js";

const TALLEST = 220; // pixels
const drafts = new Map();

/**
 * A composer; `send(text, fileIds)` returns whether the text is gone. `withCommands` where slash
 * commands work. Call `show(place, hint)` on what is returned.
 */
export function composer(testid, send, { withCommands = false } = {}) {
  let place = "";
  let suggested = { start: 0, choices: [] };
  let chosen = 0;
  let files = [];
  const listId = `${testid}-suggestions`;
  const field = h("textarea", { rows: 1, "data-testid": testid, "aria-label": "Message", "aria-controls": listId,
    "aria-autocomplete": "list", "aria-expanded": "false", role: "combobox", oninput: () => typed(), onkeydown: pressed, onpaste: pasted });
  const picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Attach files", "data-testid": `${testid}-files`,
    onchange: () => {
      attach([...picker.files]);
      picker.value = "";
    } });
  const button = h("button", { class: "send", type: "button", title: "Send (Enter)", "aria-label": "Send", onclick: submit }, icon(ICONS.send));
  const list = h("div", { class: "suggestions", role: "listbox", id: listId, "aria-label": "Suggestions", hidden: true });
  const chips = h("div", { class: "chips", hidden: true });
  const box = h("div", { class: "composer", ondragover: (event) => event.preventDefault(), ondrop: dropped }, list, chips,
    h("div", { class: "composer-line" },
      tool("Attach files", ICONS.clip, () => picker.click()), picker, field,
      tool("Emoji", ICONS.smile, (event) => pickEmoji(event.currentTarget, insertEmoji)), button));

  function tool(title, path, onclick) {
    return h("button", { class: "tool", type: "button", title, "aria-label": title, onclick }, icon(path));
  }

  function typed() {
    drafts.set(place, field.value);
    ready();
    field.style.height = "auto";
    // A hidden field has no height to take.
    if (field.scrollHeight) field.style.height = `${Math.min(field.scrollHeight, TALLEST)}px`;
    suggest();
  }

  function ready() {
    button.disabled = files.some((item) => !item.id) || (!field.value.trim() && !files.length);
  }

  async function submit() {
    if (button.disabled) return;
    const [text, sent] = [field.value, files];
    field.value = "";
    files = [];
    drawChips();
    typed();
    field.focus();
    if (await send(text, sent.map((item) => item.id))) return;
    if (!field.value) field.value = text;
    files = sent;
    drawChips();
    typed();
  }

  async function attach(added) {
    const items = added.map((file) => ({ name: file.name, size: file.size, id: null, file }));
    files = [...files, ...items];
    drawChips();
    for (const item of items) {
      item.id = await upload(item.file);
      if (!item.id) files = files.filter((each) => each !== item);
      drawChips();
    }
    field.focus();
  }

  function drawChips() {
    chips.hidden = !files.length;
    chips.replaceChildren(...files.map((item) => chip(item, () => {
      files = files.filter((each) => each !== item);
      drawChips();
    })));
    ready();
  }

  function dropped(event) {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    attach([...event.dataTransfer.files]);
  }

  function pasted(event) {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    attach([...event.clipboardData.files]);
  }

  function insertEmoji(name) {
    field.setRangeText(`:${name}: `, field.selectionStart, field.selectionEnd, "end");
    typed();
    field.focus();
  }

  function pressed(event) {
    if (event.isComposing) return;
    const count = suggested.choices.length;
    if (!list.hidden && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count;
      draw();
    } else if (!list.hidden && ["Enter", "Tab"].includes(event.key)) {
      event.preventDefault();
      take(suggested.choices[chosen]);
    } else if (!list.hidden && event.key === "Escape") {
      event.preventDefault();
      close();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    }
  }

  function suggest() {
    const before = field.value.slice(0, field.selectionStart);
    suggested = suggestionsFor(before, withCommands);
    // A command typed to its end is sent, not suggested again.
    if (suggested.choices.length === 1 && suggested.choices[0].text === before) suggested.choices = [];
    chosen = 0;
    if (suggested.choices.length) draw();
    else close();
  }

  function draw() {
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    field.setAttribute("aria-activedescendant", `${listId}-${chosen}`);
    list.replaceChildren(...suggested.choices.map((choice, index) =>
      h("button", { type: "button", role: "option", class: "suggestion", id: `${listId}-${index}`, tabindex: "-1", "aria-selected": String(index === chosen),
        onmousedown: (event) => { event.preventDefault(); take(choice); } },
      choice.face, h("span", {}, choice.label), h("span", { class: "soft" }, choice.note))));
    list.querySelector("[aria-selected=true]").scrollIntoView({ block: "nearest" });
  }

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function take(choice) {
    field.setRangeText(`${choice.text} `, suggested.start, field.selectionStart, "end");
    typed();
    field.focus();
  }

  return {
    element: box,
    focus: () => field.focus(),
    isEmpty: () => !field.value.trim() && !files.length,
    show(nextPlace, hint) {
      field.placeholder = hint;
      field.setAttribute("aria-label", hint);
      if (nextPlace === place) return;
      place = nextPlace;
      files = [];
      drawChips();
      field.value = drafts.get(place) ?? "";
      typed();
      close();
    },
  };
}
