// Block Kit.

import { h } from "./dom.js";
import { textOf } from "./choices.js";
import { element, image } from "./elements.js";
import { markdown } from "./markdown.js";
import { mrkdwn } from "./mrkdwn.js";
import { richText } from "./rich_text.js";
import { plan, steps } from "./steps.js";

function text(object) {
  return object.type === "mrkdwn" ? mrkdwn(object.text) : [h("p", {}, object.text)];
}

const makers = {
  section(block, surface) {
    return h("div", { class: "block section" },
      h("div", { class: "section-body" },
        block.text && h("div", { class: "prose" }, ...text(block.text)),
        block.fields && h("div", { class: "fields" }, ...block.fields.map((field) => h("div", { class: "prose" }, ...text(field))))),
      block.accessory && element(block.accessory, surface));
  },
  header: (block) => h("h3", { class: "block block-header" }, block.text.text),
  divider: () => h("hr", { class: "block" }),
  markdown: (block) => h("div", { class: "block prose" }, ...markdown(block.text)),
  rich_text: (block) => h("div", { class: "block prose" }, ...richText(block)),
  context(block) {
    return h("div", { class: "block context" }, ...block.elements.map((item) =>
      item.type === "image" ? image(item, "thumbnail") : h("span", { class: "prose" }, ...textOf(item))));
  },
  actions: (block, surface) => h("div", { class: "block actions" }, ...block.elements.map((item) => element(item, surface))),
  context_actions: (block, surface) => h("div", { class: "block context-actions" }, ...block.elements.map((item) => element(item, surface))),
  image(block) {
    return h("figure", { class: "block" }, block.title && h("figcaption", {}, ...textOf(block.title)), image(block, "picture"));
  },
  input(block, surface) {
    const id = `input-${block.block_id}`;
    const made = element(block.element, surface);
    const label = labelFor(made, id, block.label.text, block.optional);
    return h("div", { class: "block input", "data-block": block.block_id }, label, made,
      block.hint && h("span", { class: "hint", id: `${id}-hint` }, block.hint.text),
      h("span", { class: "problem", role: "alert", id: `${id}-problem` }));
  },
  table(block) {
    const cell = (item) => (item.type === "rich_text" ? richText(item) : [String(item.text ?? item.number ?? "")]);
    const rows = block.rows.map((row, index) => h("tr", {}, ...row.map((item) => h(index ? "td" : "th", {}, ...cell(item)))));
    return h("div", { class: "block prose" }, h("div", { class: "table" }, h("table", {}, h("tbody", {}, ...rows))));
  },
  plan: (block, surface) => h("div", { class: "block" }, plan(block, surface.busy)),
};

/** The label of a field, or the name of a group of boxes. */
function labelFor(made, id, text, optional) {
  const content = [text, optional && h("span", { class: "soft" }, " (optional)")];
  const field = made.matches(".field") ? made : made.querySelector(".field");
  (field ?? made).setAttribute("aria-describedby", `${id}-hint ${id}-problem`);
  if (field) {
    field.id = id;
    field.removeAttribute("aria-label");
    return h("label", { class: "label", for: id }, ...content);
  }
  made.setAttribute("aria-labelledby", id);
  return h("span", { class: "label", id }, ...content);
}

/** Nodes for blocks; task cards that follow each other become one list. */
export function renderBlocks(blocks, surface) {
  const nodes = [];
  let tasks = [];
  const flush = () => {
    if (tasks.length) nodes.push(h("div", { class: "block" }, steps(tasks, surface.busy)));
    tasks = [];
  };
  for (const block of blocks) {
    if (block.type === "task_card") {
      tasks.push(block);
      continue;
    }
    flush();
    const make = makers[block.type];
    nodes.push(make ? make(block, surface) : h("p", { class: "block soft" }, `[${block.type}]`));
  }
  flush();
  return nodes;
}
