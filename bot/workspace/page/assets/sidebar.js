// The sidebar: the workspace, its conversations, and who one is.

import { avatar } from "./avatar.js";
import { h, icon, ICONS, patch } from "./dom.js";
import { badge, browseChannels, browsePeople } from "./members.js";
import { menu } from "./popover.js";
import { callsIn, isDirect, isUnread, person, store } from "./store.js";

const PARTS = { key: (part) => part.key, signature: (part) => part.mark, render: (part) => part.render() };

/** `actions`: openChannel(id), become(personId). */
export function renderSidebar(container, actions) {
  patch(container, [
    { key: "workspace", mark: store.workspace, render: workspace },
    { key: "conversations", mark: "", render: () => h("div", { class: "conversations" }) },
    { key: "switcher", mark: JSON.stringify([store.me, store.teams, person(store.me)]), render: () => switcher(actions) },
  ], PARTS);
  const [channels, direct] = [[], []];
  for (const item of store.channels.values()) (isDirect(item) ? direct : channels).push(entry(item, actions));
  const join = (event) => browseChannels(event.currentTarget, actions.openChannel);
  const write = (event) => browsePeople(event.currentTarget, actions.openChannel);
  patch(container.querySelector(".conversations"), [
    { key: "channels", mark: "", render: () => heading("Channels", "Join a channel", join, "browse-channels") }, ...channels,
    { key: "direct", mark: "", render: () => heading("Direct messages", "Write to somebody", write, "browse-people") }, ...direct,
  ], PARTS);
}

function workspace() {
  return h("div", { class: "workspace" },
    h("span", { class: "workspace-mark", "aria-hidden": "true" }, store.workspace[0] ?? ""),
    h("span", { class: "workspace-name" }, store.workspace));
}

function heading(text, title, onclick, testid) {
  return h("div", { class: "heading" }, h("h2", {}, text),
    h("button", { class: "tool", type: "button", title, "aria-label": title, "aria-haspopup": "menu", "data-testid": testid, onclick }, icon(ICONS.plus)));
}

/** One conversation, as a part that is drawn anew only where it looks different. */
function entry(item, actions) {
  const other = item.kind === "im" ? person(item.members.find((id) => id !== store.me)) : null;
  const isCurrent = item.id === store.channel;
  const unread = isUnread(item) && !isCurrent;
  const calls = unread ? callsIn(item) : 0;
  const mark = JSON.stringify([item.name, item.kind, item.is_shared, isCurrent, unread, calls, other, other?.is_bot && store.connected]);
  return { key: item.id, mark, render: () => drawn(item, { other, isCurrent, unread, calls }, actions) };
}

function drawn(item, { other, isCurrent, unread, calls }, actions) {
  const face = other ? avatar(other, "small") : h("span", { class: "hash" }, item.kind === "channel" ? "#" : icon(ICONS.lock));
  return h("button", { class: "conversation", type: "button", "data-testid": "channel", "data-id": item.id,
    "aria-current": isCurrent ? "page" : null, "data-unread": unread,
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
  const kind = { group: "private channel", im: "direct message", mpim: "group message", channel: "channel" }[item.kind];
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
