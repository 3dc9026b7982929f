// Emoji by Slack's names, and those that the picker offers.

import { EMOJI } from "./emoji_names.js";

/** What the picker offers. */
export const PALETTE = [
  "+1", "-1", "heart", "joy", "smile", "tada", "eyes", "pray", "raised_hands", "clap", "fire", "100",
  "white_check_mark", "x", "question", "exclamation", "bulb", "thinking_face", "confused", "cry",
  "rocket", "star", "sparkles", "warning", "lock", "book", "memo", "link", "coffee", "wave", "ok_hand", "bug",
];

/** The emoji of a name such as "tada", undefined where the name is unknown. */
export function emoji(name) {
  return EMOJI.get(name.split("::")[0]);
}
