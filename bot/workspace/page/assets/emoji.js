// The emoji people use most, by Slack's names.

const NAMES = {
  "+1": "👍", "-1": "👎", thumbsup: "👍", thumbsdown: "👎", eyes: "👀", tada: "🎉", rocket: "🚀",
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", bulb: "💡", book: "📖",
  books: "📚", bookmark: "🔖", bookmark_tabs: "📑", page_facing_up: "📄", memo: "📝", pencil: "📝",
  pencil2: "✏️", link: "🔗", mag: "🔍", mag_right: "🔎", lock: "🔒", unlock: "🔓", key: "🔑",
  gear: "⚙️", wrench: "🔧", hammer_and_wrench: "🛠️", robot_face: "🤖", brain: "🧠", speech_balloon: "💬",
  thinking_face: "🤔", smile: "😄", smiley: "😃", slightly_smiling_face: "🙂", grinning: "😀", joy: "😂",
  wink: "😉", blush: "😊", heart: "❤️", heart_eyes: "😍", cry: "😢", sob: "😭", sweat_smile: "😅",
  upside_down_face: "🙃", disappointed: "😞", confused: "😕", neutral_face: "😐", sunglasses: "😎",
  pray: "🙏", clap: "👏", wave: "👋", raised_hands: "🙌", muscle: "💪", ok_hand: "👌", point_right: "👉",
  point_left: "👈", point_up: "☝️", point_down: "👇", fire: "🔥", star: "⭐", star2: "🌟", sparkles: "✨",
  zap: "⚡", boom: "💥", "100": "💯", question: "❓", exclamation: "❗", grey_question: "❔",
  information_source: "ℹ️", no_entry: "⛔", no_entry_sign: "🚫", stop_sign: "🛑", construction: "🚧",
  rotating_light: "🚨", bell: "🔔", no_bell: "🔕", mega: "📣", loudspeaker: "📢", calendar: "📆",
  date: "📅", clock1: "🕐", hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️",
  alarm_clock: "⏰", email: "✉️", envelope: "✉️", inbox_tray: "📥", outbox_tray: "📤", package: "📦",
  file_folder: "📁", open_file_folder: "📂", card_index_dividers: "🗂️", clipboard: "📋", pushpin: "📌",
  paperclip: "📎", bar_chart: "📊", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉",
  computer: "💻", iphone: "📱", globe_with_meridians: "🌐", earth_africa: "🌍", house: "🏠", office: "🏢",
  airplane: "✈️", palm_tree: "🌴", coffee: "☕", pizza: "🍕", cake: "🍰", beers: "🍻", gift: "🎁",
  trophy: "🏆", medal: "🏅", dart: "🎯", seedling: "🌱", sunny: "☀️", cloud: "☁️", umbrella: "☔",
  snowflake: "❄️", arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️",
  arrows_counterclockwise: "🔄", repeat: "🔁", heavy_plus_sign: "➕", heavy_minus_sign: "➖",
  red_circle: "🔴", large_green_circle: "🟢", large_yellow_circle: "🟡", large_blue_circle: "🔵",
  white_circle: "⚪", black_circle: "⚫", small_blue_diamond: "🔹", small_orange_diamond: "🔸",
  one: "1️⃣", two: "2️⃣", three: "3️⃣", raised_hand: "✋", bust_in_silhouette: "👤",
  busts_in_silhouette: "👥", handshake: "🤝", writing_hand: "✍️", bug: "🐛", new: "🆕", ok: "🆗", sos: "🆘",
};

/** What the picker offers. */
export const PALETTE = [
  "+1", "-1", "heart", "joy", "smile", "tada", "eyes", "pray", "raised_hands", "clap", "fire", "100",
  "white_check_mark", "x", "question", "exclamation", "bulb", "thinking_face", "confused", "cry",
  "rocket", "star", "sparkles", "warning", "lock", "book", "memo", "link", "coffee", "wave", "ok_hand", "bug",
];

/** The emoji of a name such as "tada", undefined where the name is unknown. */
export function emoji(name) {
  return NAMES[name.split("::")[0]];
}
