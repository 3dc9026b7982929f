// The sidebar: the workspace, its conversations, and who one is.

import { avatar } from "./avatar.js";
import { h, icon, ICONS } from "./dom.js";
import { badge, browseChannels, browsePeople } from "./members.js";
import { menu } from "./popover.js";
import { callsIn, isUnread, person, store } from "./store.js";

let drawn = "";

/** `actions`: openChannel(id), become(personId). */
export function renderSidebar(container, actions) {
  const channels = [...store.channels.values()];
  const mark = JSON.stringify([channels.map((item) => [item.id, item.name, item.kind, item.is_shared, isUnread(item), callsIn(item)]),
    store.channel, store.me, store.workspace, store.connected, store.online, [...store.people.values()], store.openChannels]);
  if (mark === drawn) return;
  drawn = mark;
  container.replaceChildren(
    h("div", { class: "workspace" },
      h("span", { class: "workspace-mark", "aria-hidden": "true" }, store.workspace[0] ?? ""),
      h("span", { class: "workspace-name" }, store.workspace)),
    h("div", { class: "conversations" },
      heading("Channels", "Join a channel", (event) => browseChannels(event.currentTarget, actions.openChannel), "browse-channels"),
      ...channels.filter((item) => item.kind !== "im").map((item) => entry(item, actions)),
      heading("Direct messages", "Write to somebody", (event) => browsePeople(event.currentTarget, actions.openChannel), "browse-people"),
      ...channels.filter((item) => item.kind === "im").map((item) => entry(item, actions))),
    switcher(actions));
}

function heading(text, title, onclick, testid) {
  return h("div", { class: "heading" }, h("h2", {}, text),
    h("button", { class: "tool", type: "button", title, "aria-label": title, "aria-haspopup": "menu", "data-testid": testid, onclick }, icon(ICONS.plus)));
}

function entry(item, actions) {
  const other = item.kind === "im" ? person(item.members.find((id) => id !== store.me)) : null;
  const face = other ? avatar(other, "small") : h("span", { class: "hash" }, item.kind === "group" ? icon(ICONS.lock) : "#");
  const unread = isUnread(item) && item.id !== store.channel;
  const calls = unread ? callsIn(item) : 0;
  return h("button", { class: "conversation", type: "button", "data-testid": "channel", "data-id": item.id,
    "aria-current": item.id === store.channel ? "page" : null, "data-unread": unread,
    "aria-label": nameOf(item, unread), onclick: () => actions.openChannel(item.id) },
  face,
  h("span", { class: "conversation-name" }, item.name),
  other && badge(other),
  item.is_shared && h("span", { class: "shared", title: "Shared with another organisation" }, icon(ICONS.globe)),
  other?.is_bot && h("span", { class: "presence", "data-on": String(store.connected), title: store.connected ? "Connected" : "Not connected" }),
  calls > 0 && h("span", { class: "calls", "data-testid": "calls" }, String(calls)),
  unread && !calls && h("span", { class: "unread", title: "Unread" }));
}

function nameOf(item, unread) {
  const kind = { group: "private channel", im: "direct message", channel: "channel" }[item.kind];
  return `${item.name}, ${kind}${unread ? ", unread" : ""}`;
}

function switcher(actions) {
  const me = person(store.me);
  const items = store.teams.flatMap((team) => [
    { heading: store.teams.length > 1 ? team.name : "Act as" },
    ...team.people.map((each) => ({
      label: each.name, note: each.title, face: avatar(each, "small"), testid: "person-option", id: each.id,
      isCurrent: each.id === store.me, run: () => actions.become(each.id),
    })),
  ]);
  return h("div", { class: "switcher" },
    h("button", { class: "me", type: "button", "data-testid": "person", "aria-haspopup": "menu", "aria-expanded": "false",
      onclick: (event) => menu(event.currentTarget, items, "Act as") },
    avatar(me),
    h("span", { class: "person-text" }, h("span", { class: "soft" }, "You are"), h("span", {}, me.name)),
    icon(ICONS.chevron)));
}
