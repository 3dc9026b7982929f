// The messages of a channel and of a thread.

import { h, patch } from "./dom.js";
import { messageSignature, renderMessage } from "./message.js";
import { renderStatus } from "./status.js";
import { channel, isReply, message, messagesOf, replies, statusOf, store } from "./store.js";
import { dayKey, dayName } from "./time.js";

const GROUP_SECONDS = 300;
const NEAR_BOTTOM = 120; // pixels

/** Shows a channel's messages that are not replies, with a divider for each day. */
export function renderTimeline(container, { openThread, empty }) {
  const shown = messagesOf(store.channel).filter((item) => !isReply(item));
  const items = [];
  let previous = null;
  for (const item of shown) {
    if (!previous || dayKey(previous.ts) !== dayKey(item.ts)) {
      items.push({ divider: dayName(item.ts), ts: item.ts });
      previous = null;
    }
    items.push({ item, compact: follows(item, previous) });
    previous = item;
  }
  if (!shown.length) items.push({ empty: true });
  sticking(container, store.channel, () => patch(container, items, {
    key: (each) => each.divider ?? (each.empty ? `empty-${store.channel}` : `${store.channel}-${each.item.ts}`),
    signature: (each) => (each.item ? messageSignature(each.item, each) : JSON.stringify([each, store.channel && channel(store.channel)])),
    render: (each) => {
      if (each.empty) return empty();
      if (each.divider) return divider(each.divider);
      return renderMessage(each.item, { compact: each.compact, openThread });
    },
  }));
}

/** Shows a thread: its root, its replies and the bot's status. */
export function renderThread(container) {
  const root = message(store.channel, store.thread);
  if (!root) return;
  const answers = replies(store.channel, store.thread);
  const items = [{ item: root }];
  const count = answers.filter((item) => !item.is_ephemeral).length;
  if (count) items.push({ divider: count === 1 ? "1 reply" : `${count} replies` });
  answers.forEach((item, index) => items.push({ item, compact: follows(item, answers[index - 1]) }));
  const status = statusOf(store.channel, store.thread);
  if (status) items.push({ status });
  sticking(container, `${store.channel}-${store.thread}`, () => patch(container, items, {
    key: (each) => each.item?.ts ?? (each.status ? "status" : "count"),
    signature: (each) => (each.item ? messageSignature(each.item, { ...each, inThread: true }) : JSON.stringify(each)),
    render: (each) => {
      if (each.status) return renderStatus(each.status);
      if (each.divider) return divider(each.divider, "quiet");
      return renderMessage(each.item, { compact: each.compact, inThread: true });
    },
  }));
}

function follows(item, previous) {
  return Boolean(previous) && previous.user === item.user && !previous.reply_count && !item.is_ephemeral &&
    !previous.is_ephemeral && Number(item.ts) - Number(previous.ts) < GROUP_SECONDS;
}

function divider(text, style = "") {
  return h("div", { class: `divider ${style}` }, h("span", {}, text));
}

/** Keeps a reader who is at the end at the end; a new place starts at its end. */
function sticking(container, place, render) {
  const isNew = container.dataset.place !== place;
  const distance = container.scrollHeight - container.scrollTop - container.clientHeight;
  render();
  container.dataset.place = place;
  if (isNew || distance < NEAR_BOTTOM) container.scrollTop = container.scrollHeight;
}
