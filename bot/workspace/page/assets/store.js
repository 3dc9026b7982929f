// What this person knows, and where he is looking. Listeners hear of every change once a frame.

export const store = {
  me: "",
  workspace: "",
  bot: "",
  connected: false,
  online: false,
  people: new Map(),
  channels: new Map(),
  messages: new Map(), // channel id -> Map of ts -> message
  modal: null,
  home: null,
  teams: [],
  commands: [],
  shortcuts: [],
  groups: [],
  openChannels: [],
  editing: "", // the channel and ts of the message being rewritten
  channel: "",
  thread: "",
  tab: "messages",
};

const listeners = [];
let scheduled = false;
let pressed = false;

// A click is lost whose node is replaced between press and release: drawing waits for the release.
addEventListener("pointerdown", (event) => { pressed = event.button === 0; }, true);
for (const end of ["pointerup", "pointercancel", "dragend"]) addEventListener(end, () => { pressed = false; }, true);

export function listen(listener) {
  listeners.push(listener);
}

/** Asks for one rendering with the next frame. */
export function changed() {
  if (scheduled) return;
  scheduled = true;
  drawSoon();
}

/** By a timer, not a frame: pages in the background stay up to date too. */
function drawSoon() {
  setTimeout(() => {
    if (pressed) return drawSoon();
    scheduled = false;
    for (const listener of listeners) listener();
  }, 16);
}

export function person(id) {
  return store.people.get(id) ?? { id, name: id, title: "", is_bot: false };
}

export function channel(id) {
  return store.channels.get(id);
}

function byTime(first, second) {
  return first.ts < second.ts ? -1 : 1;
}

export function messagesOf(channelId) {
  return [...(store.messages.get(channelId)?.values() ?? [])].sort(byTime);
}

export function message(channelId, ts) {
  return store.messages.get(channelId)?.get(ts);
}

/** Whether a conversation is among people, named by them. */
export function isDirect(item) {
  return item.kind === "im" || item.kind === "mpim";
}

export function isReply(item) {
  return Boolean(item.thread_ts) && item.thread_ts !== item.ts;
}

export function replies(channelId, rootTs) {
  return messagesOf(channelId).filter((item) => isReply(item) && item.thread_ts === rootTs);
}

export function statusOf(channelId, threadTs) {
  return channel(channelId)?.statuses.find((status) => status.thread_ts === threadTs);
}

export function isUnread(item) {
  const others = messagesOf(item.id).filter((each) => each.user !== store.me);
  return others.length > 0 && others.at(-1).ts > item.read;
}

/** How often this person is addressed in what he has not read: by name, or directly. */
export function callsIn(item) {
  const unread = messagesOf(item.id).filter((each) => each.user !== store.me && each.ts > item.read);
  return unread.filter((each) => isDirect(item) || each.pings_me).length;
}

function put(item) {
  if (!store.messages.has(item.channel)) store.messages.set(item.channel, new Map());
  store.messages.get(item.channel).set(item.ts, item);
}

const applying = {
  snapshot(update) {
    for (const name of ["me", "workspace", "bot", "connected", "modal", "home", "teams", "commands", "shortcuts", "groups"]) store[name] = update[name];
    store.openChannels = update.open_channels;
    store.people = new Map(update.people.map((each) => [each.id, each]));
    store.channels = new Map(update.channels.map((each) => [each.id, each]));
    store.messages = new Map();
    update.messages.forEach(put);
  },
  message(update) {
    put(update.message);
  },
  removed(update) {
    store.messages.get(update.channel)?.delete(update.ts);
  },
  channel(update) {
    store.channels.set(update.channel.id, update.channel);
  },
  assistant(update) {
    Object.assign(channel(update.channel) ?? {}, { statuses: update.statuses, prompts: update.prompts, titles: update.titles });
  },
  views(update) {
    store.modal = update.modal;
    store.home = update.home;
  },
  bot(update) {
    store.connected = update.connected;
  },
};

/** Takes in one update of the feed. */
export function apply(update) {
  applying[update.type](update);
  changed();
}
