// Files under a message, and files about to be sent.

import { h, icon, ICONS } from "./dom.js";
import { store } from "./store.js";

const KINDS = { pdf: "PDF", text: "Text", markdown: "Markdown", csv: "CSV", python: "Python", json: "JSON", docx: "Word", xlsx: "Excel", binary: "File" };

/** Where the page fetches a file, as this person. */
export function addressOf(id) {
  return `/page-files/${encodeURIComponent(id)}?person=${encodeURIComponent(store.me)}`;
}

export function renderFiles(files) {
  if (!files?.length) return null;
  return h("div", { class: "files" }, ...files.map(file));
}

function file(item) {
  if (item.mode === "tombstone") return h("p", { class: "soft note" }, "This file was deleted.");
  const open = { href: addressOf(item.id), target: "_blank", rel: "noopener noreferrer", "data-testid": "file" };
  if (item.mimetype.startsWith("image/")) {
    return h("a", { ...open, class: "file-picture", title: item.name }, h("img", { src: addressOf(item.id), alt: item.title, loading: "lazy" }));
  }
  return h("a", { ...open, class: "file" }, mark(item.filetype),
    h("span", { class: "file-text" }, h("span", { class: "file-name" }, item.name), h("span", { class: "soft" }, `${kindOf(item.filetype)} · ${sizeOf(item.size)}`)));
}

/** A file that waits in the composer. */
export function chip(item, remove) {
  return h("span", { class: "chip" }, mark(item.name.split(".").pop().toLowerCase()),
    h("span", { class: "file-text" }, h("span", { class: "file-name" }, item.name), h("span", { class: "soft" }, item.id ? sizeOf(item.size) : "Uploading…")),
    h("button", { class: "tool", type: "button", title: `Remove ${item.name}`, "aria-label": `Remove ${item.name}`, onclick: remove }, icon(ICONS.close)));
}

function mark(kind) {
  return h("span", { class: "file-mark", "data-kind": kind, "aria-hidden": "true" }, icon(ICONS.page));
}

function kindOf(filetype) {
  return KINDS[filetype] ?? filetype.toUpperCase();
}

export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
