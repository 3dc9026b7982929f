// Standard Markdown, as markdown blocks and streams carry it.

import { h } from "./dom.js";
import { between, decoded, inline, reference, SHARED_RULES } from "./inline.js";

const RULES = [
  { pattern: /\\([\\`*_{}[\]()#+.!~|<>-])/y, make: (match) => h("span", {}, match[1]) },
  {
    pattern: /\[((?:[^[\]\n]|\[[^[\]\n]*\])+)\]\(([^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+"[^"\n]*")?\)/y,
    make: (match, parse) => reference(match[2], match[1], parse),
  },
  ...SHARED_RULES,
  between("***", "strong"),
  between("**", "strong"),
  between("__", "strong"),
  between("~~", "s"),
  between("*", "em"),
  between("_", "em"),
];

const FENCE = /^\s*```/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const RULE = /^\s*(?:-{3,}|\*{3,}|_{3,})\s*$/;
const ITEM = /^(\s*)(?:[-*+•]|(\d{1,3})[.)])\s+(.*)$/;
const QUOTE = /^\s*(?:>|&gt;)\s?/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/** Nodes for a Markdown text. */
export function markdown(text) {
  return blocks(text.replaceAll("\r\n", "\n").split("\n"));
}

function blocks(lines) {
  const nodes = [];
  for (let at = 0; at < lines.length; ) {
    const [node, next] = block(lines, at);
    if (node) nodes.push(node);
    at = next;
  }
  return nodes;
}

function block(lines, at) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  if (FENCE.test(line)) return fence(lines, at);
  const heading = HEADING.exec(line);
  if (heading) return [h(`h${Math.min(heading[1].length + 2, 6)}`, {}, ...inline(heading[2], RULES)), at + 1];
  if (RULE.test(line)) return [h("hr"), at + 1];
  if (line.includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") && lines[at + 1].includes("|")) return table(lines, at);
  if (QUOTE.test(line)) return quote(lines, at);
  if (ITEM.test(line)) return list(lines, at);
  return paragraph(lines, at);
}

function takeWhile(lines, at, wanted) {
  let end = at;
  while (end < lines.length && wanted(lines[end])) end += 1;
  return end;
}

function fence(lines, at) {
  const end = takeWhile(lines, at + 1, (line) => !FENCE.test(line));
  const code = lines.slice(at + 1, end).map(decoded).join("\n");
  return [h("pre", {}, h("code", {}, code)), end + 1];
}

function quote(lines, at) {
  const end = takeWhile(lines, at, (line) => QUOTE.test(line));
  return [h("blockquote", {}, ...blocks(lines.slice(at, end).map((line) => line.replace(QUOTE, "")))), end];
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

function table(lines, at) {
  const end = takeWhile(lines, at + 2, (line) => line.includes("|"));
  const row = (line, tag) => h("tr", {}, ...cells(line).map((cell) => h(tag, {}, ...inline(cell, RULES))));
  const body = lines.slice(at + 2, end).map((line) => row(line, "td"));
  const made = h("table", {}, h("thead", {}, row(lines[at], "th")), h("tbody", {}, ...body));
  return [h("div", { class: "table" }, made), end];
}

/** A list with what is indented below each item inside that item. */
function list(lines, at) {
  const [, indent, number] = ITEM.exec(lines[at]);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const match = ITEM.exec(lines[end]);
    if (!match || match[1].length !== indent.length || Boolean(match[2]) !== Boolean(number)) break;
    const deeper = (line) => line.trim() !== "" && line.search(/\S/) > indent.length;
    const inner = takeWhile(lines, end + 1, deeper);
    items.push(h("li", {}, ...inline(match[3], RULES), ...blocks(lines.slice(end + 1, inner))));
    const gap = lines[inner]?.trim() === "" && ITEM.test(lines[inner + 1] ?? "");
    end = gap ? inner + 1 : inner;
  }
  if (end === at) return paragraph(lines, at);
  return [number ? h("ol", { start: number }, ...items) : h("ul", {}, ...items), end];
}

function paragraph(lines, at) {
  const special = (line) => !line.trim() || FENCE.test(line) || HEADING.test(line) || QUOTE.test(line) || ITEM.test(line);
  const end = Math.max(at + 1, takeWhile(lines, at, (line) => !special(line)));
  return [h("p", {}, ...inline(lines.slice(at, end).join("\n"), RULES)), end];
}
