// The basics of rich_text blocks.

import { h, link } from "./dom.js";
import { emoji } from "./emoji.js";
import { mention } from "./inline.js";
import { channel } from "./store.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code" };

export function richText(block) {
  return block.elements.map(part);
}

function part(element) {
  if (element.type === "rich_text_list") {
    const items = element.elements.map((item) => h("li", {}, ...item.elements.map(piece)));
    return element.style === "ordered" ? h("ol", {}, ...items) : h("ul", {}, ...items);
  }
  const pieces = (element.elements ?? []).map(piece);
  if (element.type === "rich_text_quote") return h("blockquote", {}, ...pieces);
  if (element.type === "rich_text_preformatted") return h("pre", {}, h("code", {}, ...pieces));
  return h("p", {}, ...pieces);
}

function piece(element) {
  return Object.entries(STYLES)
    .filter(([style]) => element.style?.[style])
    .reduce((inner, [, tag]) => h(tag, {}, inner), bare(element));
}

function bare(element) {
  if (element.type === "link") return link(element.url, element.text || element.url);
  if (element.type === "user") return mention(element.user_id);
  if (element.type === "channel") return h("span", { class: "mention" }, `#${channel(element.channel_id)?.name ?? "channel"}`);
  if (element.type === "emoji") return document.createTextNode(emoji(element.name) ?? `:${element.name}:`);
  return h("span", { class: "spaced" }, element.text ?? "");
}
