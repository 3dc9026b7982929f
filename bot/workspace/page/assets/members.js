// Who is in a channel; who could be; the way in and out.

import { avatar } from "./avatar.js";
import { h } from "./dom.js";
import { menu, popover } from "./popover.js";
import { act } from "./server.js";
import { person, store } from "./store.js";

/** The button in a channel's header that shows its members. */
export function membersButton(here) {
  const count = here.members.length === 1 ? "1 member" : `${here.members.length} members`;
  return h("button", { class: "members", type: "button", "aria-haspopup": "dialog", "data-testid": "members",
    onclick: (event) => show(event.currentTarget, here) },
  h("span", { class: "faces" }, ...here.members.slice(0, 3).map((id) => avatar(person(id), "small"))),
  h("span", {}, count));
}

function show(anchor, here) {
  const absent = [...store.people.values()].filter((each) => !here.members.includes(each.id));
  const close = popover(anchor, [
    h("p", { class: "menu-heading" }, "In this channel"),
    h("ul", { class: "member-list" }, ...here.members.map((id) => member(person(id)))),
    absent.length > 0 && h("p", { class: "menu-heading" }, "Add to this channel"),
    ...absent.map((each) => h("button", { class: "menu-item", type: "button", "data-testid": "add-member", "data-id": each.id,
      onclick: () => done("join", { user: each.id }) }, avatar(each, "small"), h("span", { class: "menu-text" }, h("span", {}, each.name)))),
    here.name !== "general" && h("button", { class: "menu-item danger", type: "button", "data-testid": "leave", onclick: () => done("leave", {}) },
      h("span", { class: "menu-text" }, "Leave channel")),
  ], { label: "Members", testid: "members-panel" });
  const done = (action, more) => {
    close();
    act(action, { channel: here.id, ...more });
  };
}

function member(item) {
  return h("li", { class: "member" }, avatar(item, "small"),
    h("span", { class: "menu-text" }, h("span", {}, item.name), item.title && h("span", { class: "soft" }, item.title)),
    badge(item));
}

/** What sets somebody apart: an app, a guest, somebody from outside. */
export function badge(item) {
  if (item.is_bot) return h("span", { class: "badge" }, "APP");
  if (item.is_external) return h("span", { class: "badge quiet" }, "External");
  return item.is_guest && h("span", { class: "badge quiet" }, "Guest");
}

/** The channels a person could join. */
export function browseChannels(anchor, open) {
  const items = store.openChannels.map((each) => ({
    label: each.name, note: each.topic, testid: "join-channel", id: each.id, face: h("span", { class: "hash" }, "#"),
    run: async () => (await act("join", { channel: each.id })) && open(each.id),
  }));
  menu(anchor, items.length ? [{ heading: "Join a channel" }, ...items] : [{ heading: "You are in every channel you may join." }], "Join a channel");
}

/** The people one could write to. */
export function browsePeople(anchor, open) {
  const others = [...store.people.values()].filter((each) => each.id !== store.me);
  menu(anchor, [{ heading: "Write to" }, ...others.map((each) => ({
    label: each.name, note: each.title, testid: "talk-to", id: each.id, face: avatar(each, "small"),
    run: async () => {
      const answer = await act("talk-to", { user: each.id });
      if (answer) open(answer.channel);
    },
  }))], "Write to somebody");
}
