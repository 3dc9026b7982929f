// Turning a line of marked-up text into nodes. Rules try to match at a position; what no rule
// takes is text, and text only ever becomes text nodes.

import { h, link } from "./dom.js";
import { emoji } from "./emoji.js";
import { channel, person, store } from "./store.js";

export function decoded(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/**
 * Parses `text` by `rules`. A rule has a sticky `pattern`, an optional `after` that the
 * character before must match, and `make(match, parse)` returning a node or null.
 */
export function inline(text, rules) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(decoded(plain)));
    plain = "";
  };
  const parse = (inner) => inline(inner, rules);
  for (let at = 0; at < text.length; ) {
    const [node, length] = firstMatch(text, at, rules, parse);
    if (node) {
      flush();
      nodes.push(node);
    } else {
      plain += text[at];
    }
    at += length;
  }
  flush();
  return nodes;
}

function firstMatch(text, at, rules, parse) {
  for (const rule of rules) {
    if (rule.after && at > 0 && !rule.after.test(text[at - 1])) continue;
    rule.pattern.lastIndex = at;
    const match = rule.pattern.exec(text);
    const node = match && rule.make(match, parse);
    if (node) return [node, match[0].length];
  }
  return [null, 1];
}

/** A link; one whose text is a number is a citation. */
export function reference(address, label, parse) {
  const number = /^\[?(\d{1,2})\]?$/.exec(label);
  if (!number) return link(decoded(address), ...parse(label));
  const cited = link(decoded(address), number[1]);
  cited.className = "citation";
  cited.title = decoded(address);
  return cited;
}

function special(content, parse) {
  const [target, label = ""] = content.split(/\|(.*)/s);
  if (/^@[UW]\w+$/.test(target)) return mention(target.slice(1));
  if (/^#[CG]\w+$/.test(target)) {
    return h("span", { class: "mention" }, `#${channel(target.slice(1))?.name ?? (label || "private channel")}`);
  }
  if (/^!(here|channel|everyone)$/.test(target)) return h("span", { class: "mention loud" }, `@${target.slice(1)}`);
  if (target.startsWith("!subteam^")) {
    const group = store.groups.find((each) => each.id === target.slice("!subteam^".length));
    return h("span", { class: "mention" }, group ? `@${group.handle}` : label || "@group");
  }
  if (target.startsWith("!date^")) return h("span", {}, decoded(label));
  if (/^https?:\/\//i.test(target)) return reference(target, label || target.replace(/^https?:\/\//i, ""), label ? parse : (text) => [decoded(text)]);
  return null;
}

export function mention(id) {
  const own = id === store.me ? " own" : "";
  return h("span", { class: `mention${own}` }, `@${person(id).name}`);
}

const BEFORE = /[\s([{>"'*_~—–-]/;

export const SHARED_RULES = [
  { pattern: /`([^`\n]+)`/y, make: (match) => h("code", {}, decoded(match[1])) },
  { pattern: /<([^<>\n]+)>/y, make: (match, parse) => special(match[1], parse) },
  {
    pattern: /:([a-z0-9_+'-]+(?:::skin-tone-\d)?):/y,
    make: (match) => emoji(match[1]) && h("span", { class: "emoji", title: match[0] }, emoji(match[1])),
  },
  {
    pattern: /https?:\/\/[^\s<>]*[^\s<>.,;:!?)\]'"*_~]/y,
    after: BEFORE,
    make: (match) => link(decoded(match[0]), decoded(match[0])),
  },
  { pattern: /\n/y, make: () => h("br") },
];

/** A rule for text between two equal marks, such as *bold*. */
export function between(mark, tag) {
  const sign = mark.replaceAll("*", "\\*");
  return {
    pattern: new RegExp(`${sign}(?=\\S)((?:(?!${sign})[^\\n])+?)(?<=\\S)${sign}(?![\\p{L}\\p{N}])`, "yu"),
    after: BEFORE,
    make: (match, parse) => h(tag, {}, ...parse(match[1])),
  };
}
