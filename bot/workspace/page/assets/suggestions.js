// What the composer suggests while one types: people, channels and slash commands.

import { avatar } from "./avatar.js";
import { h, icon, ICONS } from "./dom.js";
import { isDirect, person, store } from "./store.js";

/**
 * Candidates for the word before the cursor, as { start, choices }. A choice has text, label,
 * note and face; `withCommands` where a slash command may stand.
 */
export function suggestionsFor(before, withCommands) {
  const command = withCommands && /^\/(\S*)$/.exec(before);
  if (command) return { start: 0, choices: commands(command[1].toLowerCase()) };
  const word = /(?:^|\s)([@#])([\w-]*)$/.exec(before);
  if (!word) return { start: 0, choices: [] };
  const beginning = word[2].toLowerCase();
  const choices = word[1] === "#" ? channels(beginning) : people(beginning);
  return { start: before.length - word[2].length - 1, choices };
}

function commands(beginning) {
  return store.commands.filter((each) => each.name.slice(1).startsWith(beginning)).map((each) => ({
    text: each.name, label: each.name, note: each.description, face: avatar(person(store.bot), "small"),
  }));
}

function channels(beginning) {
  return [...store.channels.values()]
    .filter((item) => !isDirect(item) && starts(item.name, beginning))
    .map((item) => ({ text: `#${item.name}`, label: item.name, note: item.topic,
      face: h("span", { class: "hash" }, item.kind === "group" ? icon(ICONS.lock) : "#") }));
}

function people(beginning) {
  const found = [...store.people.values()].filter((item) => item.id !== store.me && starts(item.name, beginning));
  found.sort((first, second) => Number(second.is_bot) - Number(first.is_bot));
  return found.map((item) => ({ text: `@${item.name}`, label: item.name, note: item.is_bot ? "App" : item.title, face: avatar(item, "small") }));
}

function starts(name, beginning) {
  return name.toLowerCase().startsWith(beginning);
}
