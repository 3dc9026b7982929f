// A picture of a person, made of initials.

import { h } from "./dom.js";

const COLOURS = 6;

export function avatar(person, size = "") {
  const initials = person.name.split(/\s+/).map((word) => word[0]).join("").slice(0, 2).toUpperCase();
  const hash = [...person.id].reduce((total, letter) => (total * 31 + letter.codePointAt(0)) % 9973, 7);
  const colour = person.is_bot ? "bot" : String(hash % COLOURS);
  return h("span", { class: `avatar ${size}`, "data-colour": colour, "aria-hidden": "true" }, initials);
}
