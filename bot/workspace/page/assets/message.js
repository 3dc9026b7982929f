// One message: who, when, what, and what can be done with it.

import { editor, pickEmoji, react, toolbar } from "./actions.js";
import { avatar } from "./avatar.js";
import { renderBlocks } from "./blocks.js";
import { h, icon, ICONS, link } from "./dom.js";
import { emoji } from "./emoji.js";
import { renderFiles } from "./files.js";
import { badge } from "./members.js";
import { mrkdwn } from "./mrkdwn.js";
import { act } from "./server.js";
import { channel, person, replies, statusOf, store } from "./store.js";
import { statusText } from "./status.js";
import { ago, clock, fullTime } from "./time.js";

/** Everything a message's looks depend on. */
export function messageSignature(item, options) {
  const names = [...store.people.values()].map((each) => each.name);
  return JSON.stringify([item, store.editing === `${item.channel}-${item.ts}`, store.shortcuts.length, options.compact, options.inThread, store.me, names,
    !options.inThread && [statusOf(item.channel, item.ts), isAnswering(item)], !options.inThread && item.reply_count && ago(item.latest_reply)]);
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
      store.editing === `${item.channel}-${item.ts}` ? editor(item, typedText(item)) : content(item),
      renderFiles(item.files),
      previews(item),
      reactions(item),
      !options.inThread && threadSummary(item, options)),
    toolbar(item, options));
}

function isBusy(item) {
  return item.streaming_state === "in_progress";
}

function isAnswering(item) {
  return replies(item.channel, item.ts).some(isBusy);
}

function header(item, author) {
  return h("div", { class: "message-head" },
    h("span", { class: "author" }, author.name),
    badge(author),
    h("time", { title: fullTime(item.ts) }, clock(item.ts)));
}

function content(item) {
  const surface = {
    feedback: item.feedback,
    busy: isBusy(item),
    act: (action, value) => act("click", { channel: item.channel, ts: item.ts, action_id: action, value }),
    suggest: (action, typed) => act("suggest", { place: { channel: item.channel, ts: item.ts }, action_id: action, typed }),
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
    emoji(reaction.name) ?? `:${reaction.name}:`, h("span", {}, String(reaction.count)))),
  h("button", { class: "reaction add", type: "button", title: "Add a reaction", "aria-label": "Add a reaction",
    onclick: (event) => pickEmoji(event.currentTarget, (name) => react(item, name)) }, icon(ICONS.smile)));
}

/** A message's wire text as its author typed it, for rewriting. */
function typedText(item) {
  return item.text
    .replace(/<@(\w+)(?:\|[^>]*)?>/g, (_, id) => `@${person(id).name}`)
    .replace(/<#(\w+)(?:\|([^>]*))?>/g, (_, id, label) => `#${channel(id)?.name ?? label ?? id}`)
    .replace(/<!(\w+)[^>]*>/g, "@$1")
    .replace(/<(https?:[^>|]+)[^>]*>/g, "$1")
    .replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** The previews Slack would show of a message's links. */
function previews(item) {
  if (!item.attachments?.length) return null;
  return h("div", { class: "previews" }, ...item.attachments.map((each) => h("div", { class: "preview" },
    h("span", { class: "soft" }, new URL(each.from_url).host), link(each.from_url, each.title))));
}

function threadSummary(item, options) {
  const status = statusOf(item.channel, item.ts);
  if (!item.reply_count && !status) return null;
  const answering = isAnswering(item);
  const count = item.reply_count === 1 ? "1 reply" : `${item.reply_count ?? 0} replies`;
  return h("button", { class: "thread-summary", type: "button", "data-testid": "open-thread", onclick: () => options.openThread(item.ts) },
    ...(item.reply_users ?? [store.bot]).slice(0, 4).map((id) => avatar(person(id), "small")),
    item.reply_count && h("span", { class: "count" }, count),
    status && h("span", { class: "soft working" }, statusText(status).replace(/[.…\s]+$/, "")),
    !status && answering && h("span", { class: "soft working" }, `${person(store.bot).name} is answering`),
    !status && !answering && h("span", { class: "soft" }, `Last reply ${ago(item.latest_reply)}`));
}
