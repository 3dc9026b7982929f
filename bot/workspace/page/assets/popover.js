// A panel or menu beside what was pressed. Escape and clicks elsewhere close it.

import { h } from "./dom.js";

const GAP = 6; // pixels
let shown = null;

/** Opens `content` beside `anchor`; pressing the anchor again closes it. Returns a closer. */
export function popover(anchor, content, { label, role = "dialog", testid = null } = {}) {
  const again = shown?.anchor === anchor;
  shown?.close();
  if (again) return () => {};
  const panel = h("div", { class: "popover", role, "aria-label": label, tabindex: "-1", "data-testid": testid }, content);
  const close = (backToAnchor = false) => {
    panel.remove();
    document.removeEventListener("pointerdown", outside, true);
    anchor.setAttribute("aria-expanded", "false");
    if (shown?.panel === panel) shown = null;
    if (backToAnchor) anchor.focus();
  };
  const outside = (event) => {
    if (!panel.contains(event.target) && !anchor.contains(event.target)) close();
  };
  panel.addEventListener("keydown", (event) => pressed(event, panel, close));
  document.addEventListener("pointerdown", outside, true);
  document.body.append(panel);
  anchor.setAttribute("aria-expanded", "true");
  shown = { anchor, panel, close };
  place(panel, anchor.getBoundingClientRect());
  (panel.querySelector("button, input") ?? panel).focus();
  return close;
}

/** A menu of `items`: label, run(), and if wanted face, note, danger and testid. */
export function menu(anchor, items, label) {
  const close = popover(anchor, items.map((item) => item.heading
    ? h("p", { class: "menu-heading" }, item.heading)
    : h("button", { class: `menu-item ${item.danger ? "danger" : ""}`, type: "button", role: "menuitem", "data-testid": item.testid, "data-id": item.id,
      "aria-current": item.isCurrent ? "true" : null,
      onclick: () => {
        close();
        item.run();
      } },
    item.face,
    h("span", { class: "menu-text" }, h("span", {}, item.label), item.note && h("span", { class: "soft" }, item.note)),
    item.isCurrent && h("span", { class: "menu-mark", "aria-hidden": "true" }, "✓"))), { label, role: "menu" });
}

/** Closes whatever is open, for instance because its place went away. */
export function closePopover() {
  shown?.close();
}

function pressed(event, panel, close) {
  if (event.key === "Escape") {
    event.stopPropagation();
    close(true);
    return;
  }
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step || event.target.matches("input, textarea, select")) return;
  const items = [...panel.querySelectorAll("button:not(:disabled)")];
  event.preventDefault();
  items.at((items.indexOf(document.activeElement) + step) % items.length)?.focus();
}

function place(panel, at) {
  const { width, height } = panel.getBoundingClientRect();
  const below = at.bottom + GAP + height < innerHeight;
  const top = below ? at.bottom + GAP : Math.max(GAP, at.top - GAP - height);
  const left = Math.min(Math.max(GAP, at.left + width < innerWidth - GAP ? at.left : at.right - width), innerWidth - width - GAP);
  panel.style.setProperty("top", `${top}px`);
  panel.style.setProperty("left", `${left}px`);
}
