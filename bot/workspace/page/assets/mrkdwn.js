// Slack's own markup: *bold*, _italic_, ~struck~, > quotes, ``` blocks and plain lists.

import { h } from "./dom.js";
import { between, decoded, inline, SHARED_RULES } from "./inline.js";

const RULES = [...SHARED_RULES, between("*", "strong"), between("_", "em"), between("~", "s")];
const BULLET = /^\s*(?:[•◦▪]|[-*](?=\s)|(\d+)[.)](?=\s))\s*/;
const QUOTE = /^(?:>|&gt;)\s?/;

/** Nodes for a message's text or a mrkdwn text object. */
export function mrkdwn(text) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((part, index) =>
    index % 2 ? [h("pre", {}, h("code", {}, decoded(part)))] : lines(part.replace(/^\n|\n$/g, "")));
}

function lines(text) {
  if (!text) return [];
  const groups = [];
  for (const line of text.split("\n")) {
    const kind = QUOTE.test(line) ? "quote" : BULLET.test(line) ? "list" : "text";
    if (groups.at(-1)?.kind === kind) groups.at(-1).lines.push(line);
    else groups.push({ kind, lines: [line] });
  }
  return groups.flatMap(({ kind, lines: group }) => {
    if (kind === "quote") return [h("blockquote", {}, ...mrkdwn(group.map((line) => line.replace(QUOTE, "")).join("\n")))];
    if (kind === "list") return [list(group)];
    return group.join("\n").split(/\n{2,}/).filter(Boolean).map((part) => h("p", {}, ...inline(part, RULES)));
  });
}

function list(group) {
  const first = BULLET.exec(group[0]);
  const items = group.map((line) => h("li", {}, ...inline(line.replace(BULLET, ""), RULES)));
  return first[1] ? h("ol", { start: first[1] }, ...items) : h("ul", {}, ...items);
}

export function mrkdwnLine(text) {
  return inline(text, RULES);
}
