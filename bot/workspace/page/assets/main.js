// Puts the page together: reads the address, follows the workspace, draws.

import { avatar } from "./avatar.js";
import { composer } from "./composer.js";
import { h, icon, ICONS } from "./dom.js";
import { membersButton } from "./members.js";
import { closePopover } from "./popover.js";
import { act, follow } from "./server.js";
import { renderSidebar } from "./sidebar.js";
import { changed, channel, isDirect, isReply, isUnread, listen, message, messagesOf, person, store } from "./store.js";
import { renderThread, renderTimeline } from "./timeline.js";
import { renderHome, renderModal } from "./views.js";

const FIRST_PERSON = "U0ALICE";
const FIRST_CHANNEL = "C0GENERAL";
const part = (id) => document.getElementById(id);
const closedThreads = new Set();
let entered = "";
let awaited = "";
let headed = "";
let threadHeaded = "";

const channelComposer = composer("composer", (text, files) => act("post", { channel: store.channel, text, files }), { withCommands: true });
const threadComposer = composer("thread-composer", (text, files) => act("post", { channel: store.channel, text, files, thread_ts: store.thread }));
part("channel-composer").append(channelComposer.element);
part("thread-composer").append(threadComposer.element);

// Where one is

/** Where there is no room for the sidebar beside a conversation, one or the other shows. */
function showSidebar(open) {
  part("frame").dataset.sidebar = String(open);
}

/** One that was only just opened or joined comes with the feed, perhaps in a moment. */
function openChannel(id, thread = null) {
  closePopover();
  showSidebar(false);
  awaited = store.channels.has(id) ? "" : id;
  if (awaited) return;
  store.channel = id;
  store.thread = thread ?? newestAnswer(store.channel);
  showTab("messages");
  changed();
  channelComposer.focus();
}

function openThread(ts) {
  store.thread = ts;
  closedThreads.delete(ts);
  changed();
  threadComposer.focus();
}

function closeThread() {
  closedThreads.add(store.thread);
  store.thread = "";
  changed();
}

function newestAnswer(channelId) {
  const answer = messagesOf(channelId).findLast((item) => item.user === store.bot && isReply(item));
  return answer && !closedThreads.has(answer.thread_ts) ? answer.thread_ts : "";
}

function showTab(tab) {
  store.tab = tab;
  if (isWithBot()) act("open-tab", { tab });
  changed();
}

function isWithBot() {
  const here = channel(store.channel);
  return here?.kind === "im" && here.members.includes(store.bot);
}

function become(personId) {
  store.editing = awaited = "";
  follow(personId, heard, tellRefused);
}

/** In place of the conversations, which an unknown person has none of. */
function tellRefused(error) {
  part("frame").replaceChildren(h("main", { class: "refused" }, h("h1", {}, error),
    h("p", {}, h("a", { href: "/" }, "Open the workspace as one of its people"))));
}

/** Stays where one was, as far as this person can be there. */
function enter() {
  entered = store.me;
  const keep = store.channels.has(store.channel);
  const thread = keep && message(store.channel, store.thread) ? store.thread : null;
  const first = store.channels.has(FIRST_CHANNEL) ? FIRST_CHANNEL : [...store.channels.keys()][0];
  openChannel(keep ? store.channel : first, thread);
}

/** Turns to the thread in which the bot starts to answer this person. */
function heard(update) {
  if (update.type === "snapshot") {
    if (entered !== store.me || !store.channels.has(store.channel)) enter();
    if (store.channels.has(awaited)) openChannel(awaited);
    return;
  }
  const answers = update.type === "message" && update.message.user === store.bot && isReply(update.message);
  if (answers) turnTo(update.message.channel, update.message.thread_ts);
  if (update.type === "assistant") update.statuses.forEach((status) => turnTo(update.channel, status.thread_ts));
}

function turnTo(channelId, rootTs) {
  if (channelId !== store.channel || rootTs === store.thread || closedThreads.has(rootTs)) return;
  if (message(channelId, rootTs)?.user !== store.me || !threadComposer.isEmpty()) return;
  store.thread = rootTs;
}

// Drawing

function nameOf(item) {
  return isDirect(item) ? item.name : `#${item.name}`;
}

function title() {
  const here = channel(store.channel);
  if (here.kind === "im") return [avatar(person(here.members.find((id) => id !== store.me)), "small"), h("h1", {}, here.name)];
  return [h("span", { class: "hash" }, here.kind === "channel" ? "#" : icon(ICONS.lock)), h("h1", {}, here.name)];
}

function drawHeader() {
  const here = channel(store.channel);
  const tab = (name, label) => h("button", { class: "tab", type: "button", "data-testid": `tab-${name}`,
    "aria-current": store.tab === name ? "page" : null, onclick: () => showTab(name) }, label);
  const mark = JSON.stringify([here.id, here.name, here.topic, here.members, store.tab, store.me, [...store.people.values()]]);
  if (mark === headed) return;
  headed = mark;
  part("channel-header").replaceChildren(
    h("div", { class: "bar-title" },
      h("button", { class: "tool to-sidebar", type: "button", title: "Conversations", "aria-label": "Conversations", "data-testid": "to-sidebar", onclick: () => showSidebar(true) }, icon(ICONS.list)),
      ...title(), here.topic && h("span", { class: "topic" }, here.topic)),
    isWithBot() ? h("div", { class: "tabs" }, tab("messages", "Messages"), tab("home", "Home")) : (here.kind === "im" ? "" : membersButton(here)));
}

function drawThread() {
  const root = message(store.channel, store.thread);
  part("thread").hidden = !root;
  part("frame").dataset.thread = Boolean(root);
  if (!root) return;
  const here = channel(store.channel);
  const topic = here.titles[store.thread] ?? nameOf(here);
  if (topic !== threadHeaded) {
    threadHeaded = topic;
    part("thread-header").replaceChildren(
      h("div", { class: "bar-title" }, h("h1", {}, "Thread"), h("span", { class: "topic" }, topic)),
      h("button", { class: "tool", type: "button", title: "Close thread", "aria-label": "Close thread", "data-testid": "close-thread", onclick: closeThread }, icon(ICONS.close)));
  }
  renderThread(part("thread-messages"));
  threadComposer.show(`${store.me}-${store.channel}-${store.thread}`, "Reply…");
}

/** What stands where nothing was said yet. */
function empty() {
  const here = channel(store.channel);
  const ask = (prompt) => h("button", { class: "prompt", type: "button", "data-testid": "prompt",
    onclick: () => act("post", { channel: store.channel, text: prompt.message }) }, prompt.title);
  if (isWithBot()) {
    return h("div", { class: "empty" }, avatar(person(store.bot), "large"), h("h2", {}, here.prompts?.title || `Ask ${here.name} anything`),
      h("p", {}, "Only the two of you can read this conversation."),
      here.prompts && h("div", { class: "prompts" }, ...here.prompts.prompts.map(ask)));
  }
  return h("div", { class: "empty" }, h("h2", {}, `This is the beginning of ${nameOf(here)}`),
    here.topic && h("p", {}, here.topic), h("p", {}, `Mention @${person(store.bot).name} to ask a question.`));
}

function markRead() {
  const here = channel(store.channel);
  if (document.hidden || !isUnread(here)) return;
  here.read = messagesOf(here.id).at(-1).ts;
  act("read", { channel: here.id, ts: here.read });
}

function rememberPlace() {
  const query = new URLSearchParams({ channel: store.channel, person: store.me });
  if (store.thread) query.set("thread", store.thread);
  history.replaceState(null, "", `?${query}`);
  document.title = `${channel(store.channel).name} · ${store.workspace}`;
}

listen(() => {
  if (!channel(store.channel)) return;
  const home = store.tab === "home";
  part("frame").dataset.offline = !store.online;
  renderSidebar(part("sidebar"), { openChannel, become });
  drawHeader();
  part("home").hidden = !home;
  part("timeline").hidden = home;
  part("channel-composer").hidden = home;
  if (home) renderHome(part("home"));
  else renderTimeline(part("timeline"), { openThread, empty });
  drawThread();
  const here = channel(store.channel);
  channelComposer.show(`${store.me}-${store.channel}`, `Message ${nameOf(here)}`);
  part("bot-away").hidden = store.connected;
  part("bot-away").textContent = `${person(store.bot).name} is not connected. It will see what you write as soon as it is.`;
  renderModal(part("modal"));
  markRead();
  rememberPlace();
});

const wanted = new URLSearchParams(location.search);
store.channel = wanted.get("channel") ?? FIRST_CHANNEL;
store.thread = wanted.get("thread") ?? "";
document.addEventListener("visibilitychange", changed);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented && store.thread && !document.querySelector("dialog[open]") && threadComposer.isEmpty()) closeThread();
});
follow(wanted.get("person") ?? FIRST_PERSON, heard, tellRefused);
