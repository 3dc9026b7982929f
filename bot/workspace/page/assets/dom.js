// Building elements. Text always becomes text nodes: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Makes an element; `on…` attributes are listeners, null and false ones are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return element;
}

/** A stroked icon of 20 by 20 units. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const ICONS = {
  close: "M5 5l10 10M15 5L5 15",
  send: "M3.500 10h12M10.500 5l5.500 5-5.500 5",
  reply: "M4 5.500h12v8H9l-3.500 3v-3H4z",
  lock: "M5.500 9h9v7h-9zM7.500 9V6.500a2.500 2.500 0 015 0V9",
  stop: "M6 6h8v8H6z",
  chevron: "M6 8l4 4 4-4",
  smile: "M10 3a7 7 0 100 14 7 7 0 000-14zM7.500 8v.5M12.500 8v.5M7 12c1.500 2 4.500 2 6 0",
  more: "M5 10h.01M10 10h.01M15 10h.01",
  bolt: "M11 3L5 11.500h4L8.500 17l6-8.500h-4z",
  pencil: "M4 16l.800-3.500L13 4.300l2.700 2.700-8.200 8.200z",
  bin: "M5 6h10M8 6V4.500h4V6M6.200 6l.7 10h6.200l.7-10",
  link: "M8.500 11.500l3-3M7.500 9.500L5.500 11.500a2.100 2.100 0 003 3l2-2M9.500 7.500l2-2a2.100 2.100 0 013 3l-2 2",
  page: "M6 3.500h5.500L15 7v9.500H6zM11 3.500V7.500h4",
  clip: "M14.500 9.500l-5 5a3 3 0 01-4.300-4.300l5.600-5.600a2 2 0 012.900 2.900l-5.500 5.500a1 1 0 01-1.400-1.400l4.900-4.900",
  list: "M4 6h12M4 10h12M4 14h12",
  plus: "M10 5v10M5 10h10",
  globe: "M10 3a7 7 0 100 14 7 7 0 000-14zM3 10h14M10 3c4.500 4.500 4.500 9.500 0 14M10 3c-4.500 4.500-4.500 9.500 0 14",
  check: "M4.500 10.500l3.500 3.500 7.500-8",
  cross: "M6 6l8 8M14 6l-8 8",
  up: "M6.500 9L10 3.500c1.200 0 1.800.9 1.600 2l-.5 2.500h4c1 0 1.500.8 1.300 1.600l-1.300 5c-.2.800-.8 1.400-1.700 1.400H6.500zM3.500 9h3v7h-3z",
  down: "M6.500 11L10 16.500c1.200 0 1.800-.9 1.600-2L11.100 12h4c1 0 1.500-.8 1.300-1.600l-1.300-5c-.2-.8-.8-1.400-1.700-1.400H6.500zM3.500 11h3V4h-3z",
};

/** A link where the address is http or https, plain text where it is anything else. */
export function link(address, ...children) {
  if (!/^https?:\/\//i.test(address)) return h("span", {}, ...children);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/**
 * Makes `container` show `items`: keeps the nodes whose key and signature are the same,
 * so that what people select, hover and focus stays.
 */
export function patch(container, items, { key, signature, render }) {
  const existing = new Map([...container.children].map((node) => [node.dataset.key, node]));
  const wanted = items.map((item) => {
    const name = String(key(item));
    const mark = signature(item);
    const old = existing.get(name);
    if (old && old.mark === mark) return old;
    const node = render(item);
    node.dataset.key = name;
    node.mark = mark;
    return node;
  });
  const keep = new Set(wanted);
  for (const node of [...container.children]) if (!keep.has(node)) node.remove();
  wanted.forEach((node, index) => {
    if (container.children[index] !== node) container.insertBefore(node, container.children[index] ?? null);
  });
}

export function toast(text) {
  const note = h("div", { class: "toast" }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}
