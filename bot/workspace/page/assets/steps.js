// What the bot did on the way: task cards and plans as a compact list of steps.

import { h, icon, ICONS, link } from "./dom.js";
import { richText } from "./rich_text.js";

const MARKS = { complete: ICONS.check, error: ICONS.cross };

/** Consecutive task cards. `busy` while the message is still being written. */
export function steps(tasks, busy) {
  return h("ol", { class: "steps" }, ...tasks.map((task) => step(task, busy)));
}

export function plan(block, busy) {
  const done = block.tasks.filter((task) => task.status === "complete").length;
  const count = busy ? `${done} of ${block.tasks.length}` : block.tasks.length === 1 ? "1 step" : `${block.tasks.length} steps`;
  return h("details", { class: "plan", open: busy },
    h("summary", {}, icon(ICONS.chevron), h("span", {}, block.title), h("span", { class: "soft" }, count)),
    steps(block.tasks, busy));
}

function step(task, busy) {
  const status = !busy && task.status === "in_progress" ? "complete" : task.status;
  const mark = h("span", { class: "step-mark", "data-status": status, title: status.replace("_", " ") });
  if (MARKS[status]) mark.append(icon(MARKS[status]));
  return h("li", { class: "step", "data-status": status }, mark,
    h("div", { class: "step-body" },
      h("span", { class: "step-title" }, task.title),
      text(task.details),
      text(task.output),
      task.sources?.length && h("span", { class: "sources" }, ...task.sources.map(source))));
}

function text(field) {
  if (!field) return null;
  return h("span", { class: "step-text" }, ...(typeof field === "string" ? [field] : richText(field)));
}

function source(item) {
  const made = link(item.url, item.text || item.url);
  made.classList.add("source");
  return made;
}
