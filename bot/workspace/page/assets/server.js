// Talking to the workspace: actions by POST, what happens by WebSocket.

import { toast } from "./dom.js";
import { apply, changed, store } from "./store.js";

/** Performs an action as this person. Returns its answer, or null after telling what failed. */
export async function act(action, body) {
  let response;
  try {
    response = await fetch(`/page-api/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ person: store.me, ...body }),
    });
  } catch {
    toast("The workspace does not answer. Is it still running?");
    return null;
  }
  const answer = await response.json();
  if (response.ok) return answer;
  toast(answer.error);
  return null;
}

/** Uploads a file as this person. Returns its id, or null after telling what failed. */
export async function upload(file) {
  const query = new URLSearchParams({ person: store.me, name: file.name });
  try {
    const response = await fetch(`/page-files?${query}`, {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: file,
    });
    const answer = await response.json();
    if (response.ok) return answer.id;
    toast(answer.error);
  } catch {
    toast(`${file.name} could not be uploaded.`);
  }
  return null;
}

let socket = null;

/** Follows the workspace as a person; comes back by itself when the connection breaks. */
export function follow(personId, heard, refused) {
  socket?.close();
  const current = new WebSocket(`ws://${location.host}/page-api/feed?person=${encodeURIComponent(personId)}`);
  socket = current;
  current.addEventListener("message", (event) => {
    if (current !== socket) return;
    const update = JSON.parse(event.data);
    if (update.type === "refused") {
      socket = null;
      refused(update.error);
      return;
    }
    store.online = true;
    apply(update);
    heard(update);
  });
  current.addEventListener("close", () => {
    if (current !== socket) return;
    store.online = false;
    changed();
    setTimeout(() => current === socket && follow(personId, heard, refused), 1000);
  });
}
