// The sidebar: the workspace, its conversations, and who one is.

import { avatar } from "./avatar.js";
import { h, icon, ICONS } from "./dom.js";
import { isUnread, person, store } from "./store.js";

let menuOpen = false;
let drawn = "";

/** `actions`: openChannel(id), become(personId). */
export function renderSidebar(container, actions) {
  const channels = [...store.channels.values()];
  const mark = JSON.stringify([channels.map((item) => [item.id, item.name, isUnread(item)]), store.channel,
    store.me, store.workspace, store.connected, store.online, menuOpen, [...store.people.values()]]);
  if (mark === drawn) return;
  drawn = mark;
  const redraw = () => renderSidebar(container, actions);
  container.replaceChildren(
    h("div", { class: "workspace" },
      h("span", { class: "workspace-mark", "aria-hidden": "true" }, store.workspace[0] ?? ""),
      h("span", { class: "workspace-name" }, store.workspace)),
    h("div", { class: "conversations" },
      h("h2", {}, "Channels"),
      ...channels.filter((item) => item.kind !== "im").map((item) => entry(item, actions)),
      h("h2", {}, "Direct messages"),
      ...channels.filter((item) => item.kind === "im").map((item) => entry(item, actions))),
    switcher(actions, redraw));
}

function entry(item, actions) {
  const other = item.kind === "im" ? person(item.members.find((id) => id !== store.me)) : null;
  const face = other ? avatar(other, "small") : h("span", { class: "hash" }, item.kind === "group" ? icon(ICONS.lock) : "#");
  const unread = isUnread(item) && item.id !== store.channel;
  return h("button", { class: "conversation", type: "button", "data-testid": "channel", "data-id": item.id,
    "aria-current": item.id === store.channel ? "page" : null, "data-unread": unread,
    onclick: () => actions.openChannel(item.id) },
  face,
  h("span", { class: "conversation-name" }, item.name),
  other?.is_bot && h("span", { class: "badge" }, "APP"),
  other?.is_bot && h("span", { class: "presence", "data-on": String(store.connected), title: store.connected ? "Connected" : "Not connected" }),
  unread && h("span", { class: "unread", title: "Unread" }));
}

function switcher(actions, redraw) {
  const me = person(store.me);
  const people = [...store.people.values()].filter((each) => !each.is_bot);
  const toggle = () => {
    menuOpen = !menuOpen;
    redraw();
  };
  return h("div", { class: "switcher" },
    menuOpen && h("div", { class: "people", role: "menu" },
      h("p", { class: "soft" }, "Act as"),
      ...people.map((each) => h("button", { class: "person", type: "button", role: "menuitem", "data-testid": "person-option", "data-id": each.id,
        onclick: () => {
          menuOpen = false;
          actions.become(each.id);
          redraw();
        } },
      avatar(each, "small"),
      h("span", { class: "person-text" }, h("span", {}, each.name), h("span", { class: "soft" }, each.title)),
      each.id === store.me && icon(ICONS.check)))),
    h("button", { class: "me", type: "button", "data-testid": "person", "aria-expanded": String(menuOpen), onclick: toggle },
      avatar(me),
      h("span", { class: "person-text" }, h("span", { class: "soft" }, "You are"), h("span", {}, me.name)),
      icon(ICONS.chevron)));
}
