// Reading Slack's timestamps.

export function dateOf(ts) {
  return new Date(Number(ts) * 1000);
}

export function clock(ts) {
  return dateOf(ts).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

export function fullTime(ts) {
  return dateOf(ts).toLocaleString("en-GB", { dateStyle: "full", timeStyle: "medium" });
}

export function dayKey(ts) {
  return dateOf(ts).toDateString();
}

export function dayName(ts) {
  const date = dateOf(ts);
  const yesterday = new Date();
  yesterday.setDate(yesterday.getDate() - 1);
  if (date.toDateString() === new Date().toDateString()) return "Today";
  if (date.toDateString() === yesterday.toDateString()) return "Yesterday";
  return date.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" });
}

/** "just now", "5 minutes ago", "14:02" or a day. */
export function ago(ts) {
  const minutes = Math.floor((Date.now() - dateOf(ts)) / 60000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
  return dayName(ts) === "Today" ? `today at ${clock(ts)}` : `${dayName(ts)} at ${clock(ts)}`;
}
