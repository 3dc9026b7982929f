// One message: who, when, what, and what can be done with it.

import { avatar } from "./avatar.js";
import { renderBlocks } from "./blocks.js";
import { h, icon, ICONS } from "./dom.js";
import { emoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { act } from "./server.js";
import { isReply, person, replies, statusOf, store } from "./store.js";
import { statusText } from "./status.js";
import { ago, clock, fullTime } from "./time.js";

const QUICK = ["+1", "-1", "white_check_mark", "eyes"];

/** Everything a message's looks depend on. */
export function messageSignature(item, options) {
  const names = [...store.people.values()].map((each) => each.name);
  return JSON.stringify([item, options.compact, options.inThread, store.me, names,
    !options.inThread && statusOf(item.channel, item.ts), !options.inThread && item.reply_count && ago(item.latest_reply)]);
}

/** `options`: compact (follows one of the same person), inThread, openThread(ts). */
export function renderMessage(item, options) {
  const author = person(item.user);
  const classes = ["message", options.compact && "compact", item.is_ephemeral && "ephemeral", isBusy(item) && "busy"];
  return h("article", { class: classes.filter(Boolean).join(" "), "data-testid": "message", "data-ts": item.ts },
    options.compact ? h("time", { class: "side-time", title: fullTime(item.ts) }, clock(item.ts)) : avatar(author),
    h("div", { class: "message-body" },
      item.is_ephemeral && h("div", { class: "only-you" }, "Only visible to you"),
      !options.compact && header(item, author),
      content(item),
      reactions(item),
      !options.inThread && threadSummary(item, options)),
    toolbar(item, options));
}

function isBusy(item) {
  return item.streaming_state === "in_progress";
}

function header(item, author) {
  return h("div", { class: "message-head" },
    h("span", { class: "author" }, author.name),
    author.is_bot && h("span", { class: "badge" }, "APP"),
    author.is_guest && h("span", { class: "badge quiet" }, "Guest"),
    h("time", { title: fullTime(item.ts) }, clock(item.ts)));
}

function content(item) {
  const surface = {
    feedback: item.feedback,
    busy: isBusy(item),
    act: (action, value) => act("click", { channel: item.channel, ts: item.ts, action_id: action, value }),
  };
  surface.chosen = surface.act;
  const nodes = item.blocks?.length ? renderBlocks(item.blocks, surface) : [h("div", { class: "block prose" }, ...mrkdwn(item.text))];
  const body = h("div", { class: "message-content" }, ...nodes);
  if (isBusy(item)) lastLine(body).append(h("span", { class: "cursor", "aria-hidden": "true" }));
  if (item.edited) lastLine(body).append(h("span", { class: "edited" }, " (edited)"));
  if (item.streaming_state === "stopped_by_user") body.append(h("p", { class: "soft note" }, "You stopped this answer."));
  if (item.streaming_state === "expired") body.append(h("p", { class: "soft note" }, "This answer was not finished."));
  return body;
}

/** Where text would go on: the last paragraph, item, heading or cell. */
function lastLine(body) {
  const lines = body.querySelectorAll(".prose p, .prose li, .prose h3, .prose h4, .prose h5, .prose td, .prose code");
  return [...lines].at(-1) ?? body;
}

function reactions(item) {
  if (!item.reactions?.length) return null;
  return h("div", { class: "reactions" }, ...item.reactions.map((reaction) =>
    h("button", { class: "reaction", type: "button", "aria-pressed": String(reaction.users.includes(store.me)),
      title: `${reaction.users.map((id) => person(id).name).join(", ")} reacted with :${reaction.name}:`,
      onclick: () => react(item, reaction.name) },
    emoji(reaction.name) ?? `:${reaction.name}:`, h("span", {}, String(reaction.count)))));
}

function react(item, name) {
  return act("react", { channel: item.channel, ts: item.ts, name });
}

function threadSummary(item, options) {
  const status = statusOf(item.channel, item.ts);
  if (!item.reply_count && !status) return null;
  const answering = replies(item.channel, item.ts).some((reply) => isBusy(reply));
  const count = item.reply_count === 1 ? "1 reply" : `${item.reply_count ?? 0} replies`;
  return h("button", { class: "thread-summary", type: "button", "data-testid": "open-thread", onclick: () => options.openThread(item.ts) },
    ...(item.reply_users ?? [store.bot]).slice(0, 4).map((id) => avatar(person(id), "small")),
    item.reply_count && h("span", { class: "count" }, count),
    status && h("span", { class: "soft working" }, statusText(status).replace(/[.…\s]+$/, "")),
    !status && answering && h("span", { class: "soft working" }, `${person(store.bot).name} is answering`),
    !status && !answering && h("span", { class: "soft" }, `Last reply ${ago(item.latest_reply)}`));
}

function toolbar(item, options) {
  if (item.is_ephemeral) {
    return h("div", { class: "toolbar" },
      tool("Dismiss", icon(ICONS.close), () => act("dismiss", { channel: item.channel, ts: item.ts })));
  }
  if (isBusy(item)) {
    return h("div", { class: "toolbar shown" },
      h("button", { class: "tool worded", type: "button", "data-testid": "stop",
        onclick: () => act("stop", { channel: item.channel, ts: item.ts }) }, icon(ICONS.stop), "Stop"));
  }
  return h("div", { class: "toolbar" },
    ...QUICK.map((name) => tool(`React with :${name}:`, emoji(name), () => react(item, name))),
    !options.inThread && !isReply(item) && tool("Reply in thread", icon(ICONS.reply), () => options.openThread(item.ts), "reply"));
}

function tool(title, face, onclick, testid = null) {
  return h("button", { class: "tool", type: "button", title, "aria-label": title, onclick, "data-testid": testid }, face);
}
