// Puts the page together: reads the address, follows the workspace, draws.

import { avatar } from "./avatar.js";
import { composer } from "./composer.js";
import { h, icon, ICONS } from "./dom.js";
import { act, follow } from "./server.js";
import { renderSidebar } from "./sidebar.js";
import { changed, channel, isReply, isUnread, listen, message, messagesOf, person, store } from "./store.js";
import { renderThread, renderTimeline } from "./timeline.js";
import { renderHome, renderModal } from "./views.js";

const FIRST_PERSON = "U0ALICE";
const FIRST_CHANNEL = "C0GENERAL";
const part = (id) => document.getElementById(id);
const closedThreads = new Set();
let entered = "";

const channelComposer = composer("composer", (text) => act("post", { channel: store.channel, text }));
const threadComposer = composer("thread-composer", (text) => act("post", { channel: store.channel, text, thread_ts: store.thread }));
part("channel-composer").append(channelComposer.element);
part("thread-composer").append(threadComposer.element);

// Where one is

function openChannel(id, thread = null) {
  store.channel = store.channels.has(id) ? id : [...store.channels.keys()][0];
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
  follow(personId, heard);
}

/** Stays where one was, as far as this person can be there. */
function enter() {
  entered = store.me;
  const keep = store.channels.has(store.channel);
  const thread = keep && message(store.channel, store.thread) ? store.thread : null;
  openChannel(keep ? store.channel : FIRST_CHANNEL, thread);
}

/** Turns to the thread in which the bot starts to answer this person. */
function heard(update) {
  if (update.type === "snapshot") {
    if (entered !== store.me) enter();
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

function title() {
  const here = channel(store.channel);
  if (here.kind === "im") return [avatar(person(here.members.find((id) => id !== store.me)), "small"), h("h1", {}, here.name)];
  return [h("span", { class: "hash" }, here.kind === "group" ? icon(ICONS.lock) : "#"), h("h1", {}, here.name)];
}

function drawHeader() {
  const here = channel(store.channel);
  const tab = (name, label) => h("button", { class: "tab", type: "button", "data-testid": `tab-${name}`,
    "aria-current": store.tab === name ? "page" : null, onclick: () => showTab(name) }, label);
  const members = here.members.length === 1 ? "1 member" : `${here.members.length} members`;
  part("channel-header").replaceChildren(
    h("div", { class: "bar-title" }, ...title(), here.topic && h("span", { class: "topic" }, here.topic)),
    isWithBot() ? h("div", { class: "tabs" }, tab("messages", "Messages"), tab("home", "Home")) : h("span", { class: "soft" }, here.kind === "im" ? "" : members));
}

function drawThread() {
  const root = message(store.channel, store.thread);
  part("thread").hidden = !root;
  part("frame").dataset.thread = Boolean(root);
  if (!root) return;
  const here = channel(store.channel);
  part("thread-header").replaceChildren(
    h("div", { class: "bar-title" }, h("h1", {}, "Thread"), h("span", { class: "topic" }, here.kind === "im" ? here.name : `#${here.name}`)),
    h("button", { class: "tool", type: "button", title: "Close thread", "aria-label": "Close thread", "data-testid": "close-thread", onclick: closeThread }, icon(ICONS.close)));
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
  return h("div", { class: "empty" }, h("h2", {}, `This is the beginning of #${here.name}`),
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
  channelComposer.show(`${store.me}-${store.channel}`, here.kind === "im" ? `Message ${here.name}` : `Message #${here.name}`);
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
follow(wanted.get("person") ?? FIRST_PERSON, heard);
