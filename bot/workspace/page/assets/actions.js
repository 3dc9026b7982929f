// What can be done with a message: react, reply, the app's shortcuts, edit, delete.

import { h, icon, ICONS } from "./dom.js";
import { emoji, PALETTE } from "./emoji.js";
import { menu, popover } from "./popover.js";
import { act } from "./server.js";
import { changed, isReply, store } from "./store.js";

const QUICK = ["+1", "-1", "white_check_mark", "eyes"];

export function react(item, name) {
  return act("react", { channel: item.channel, ts: item.ts, name });
}

/** `options`: inThread, openThread(ts). */
export function toolbar(item, options) {
  if (item.is_ephemeral) {
    return bar(tool("Dismiss", icon(ICONS.close), () => act("dismiss", { channel: item.channel, ts: item.ts })));
  }
  if (item.streaming_state === "in_progress") {
    return h("div", { class: "toolbar shown" }, stopButton(item.channel, item.thread_ts ?? item.ts));
  }
  return bar(
    ...QUICK.map((name) => tool(`React with :${name}:`, emoji(name), () => react(item, name))),
    tool("Find another reaction", icon(ICONS.smile), (event) => pickEmoji(event.currentTarget, (name) => react(item, name)), "more-reactions"),
    !options.inThread && !isReply(item) && tool("Reply in thread", icon(ICONS.reply), () => options.openThread(item.ts), "reply"),
    tool("More actions", icon(ICONS.more), (event) => menu(event.currentTarget, more(item), "More actions"), "more"));
}

/** Stops what the bot does in a thread. */
export function stopButton(channel, threadTs) {
  return h("button", { class: "tool worded", type: "button", "data-testid": "stop",
    onclick: () => act("stop", { channel, thread_ts: threadTs }) }, icon(ICONS.stop), "Stop");
}

export function pickEmoji(anchor, choose) {
  const close = popover(anchor, h("div", { class: "palette" }, ...PALETTE.map((name) =>
    h("button", { class: "tool", type: "button", title: `:${name}:`, "aria-label": name.replaceAll("_", " "), "data-testid": `emoji-${name}`,
      onclick: () => {
        close();
        choose(name);
      } }, emoji(name)))), { label: "Emoji" });
}

function more(item) {
  const shortcuts = store.shortcuts.filter((each) => each.on_message).map((each) => ({
    label: each.name, note: store.people.get(store.bot)?.name, testid: `shortcut-${each.callback_id}`, face: icon(ICONS.bolt),
    run: () => act("shortcut", { channel: item.channel, ts: item.ts, callback_id: each.callback_id }),
  }));
  const link = `${location.origin}/?channel=${item.channel}&thread=${item.thread_ts ?? item.ts}`;
  const own = item.user === store.me ? [
    { label: "Edit message", testid: "edit", face: icon(ICONS.pencil), run: () => edit(item) },
    { label: "Delete message", testid: "delete", danger: true, face: icon(ICONS.bin), run: () => act("delete", { channel: item.channel, ts: item.ts }) },
  ] : [];
  return [...shortcuts, { label: "Copy link", face: icon(ICONS.link), run: () => navigator.clipboard?.writeText(link) }, ...own];
}

function edit(item) {
  store.editing = `${item.channel}-${item.ts}`;
  changed();
}

/** The message as a text to rewrite, in place of what it says. */
export function editor(item, typed) {
  const done = () => {
    store.editing = "";
    changed();
  };
  const save = async () => {
    if (await act("edit", { channel: item.channel, ts: item.ts, text: field.value })) done();
  };
  const field = h("textarea", { class: "field", rows: 3, "aria-label": "Edit message", "data-testid": "editor",
    onkeydown: (event) => {
      if (event.key === "Escape") done();
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        save();
      }
    } });
  field.value = typed;
  setTimeout(() => field.focus());
  return h("div", { class: "editor" }, field, h("div", { class: "actions" },
    h("button", { class: "button", type: "button", onclick: done }, "Cancel"),
    h("button", { class: "button primary", type: "button", onclick: save }, "Save")));
}

function bar(...tools) {
  return h("div", { class: "toolbar" }, ...tools);
}

function tool(title, face, onclick, testid = null) {
  return h("button", { class: "tool", type: "button", title, "aria-label": title, onclick, "data-testid": testid }, face);
}
