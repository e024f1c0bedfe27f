// Making elements without HTML out of text: what a chain says can never become markup.

import { language, t } from "./texts.js";

/** h("a.quiet", {href: "#/"}, "text", child, …) */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else element.setAttribute(key, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

export const number = (value) => new Intl.NumberFormat(language()).format(value);

export function time(seconds) {
  const moment = new Date(seconds * 1000);
  const text = new Intl.DateTimeFormat(language(), {
    dateStyle: "medium",
    timeStyle: "medium",
    hour12: false,
  }).format(moment);
  return h("time", { datetime: moment.toISOString(), title: moment.toISOString() }, text);
}

/** "12 s ago", as of now. */
export function ago(seconds) {
  const passed = Math.max(0, Date.now() / 1000 - seconds);
  const format = new Intl.RelativeTimeFormat(language(), { numeric: "always", style: "short" });
  if (passed < 90) return format.format(-Math.round(passed), "second");
  if (passed < 5400) return format.format(-Math.round(passed / 60), "minute");
  if (passed < 129600) return format.format(-Math.round(passed / 3600), "hour");
  return format.format(-Math.round(passed / 86400), "day");
}

export const localized = (texts) =>
  typeof texts === "object" && texts !== null ? (texts[language()] ?? texts.en ?? "") : texts;

export const code = (text, shortened = 0) =>
  h(
    "code.hash",
    shortened ? { title: text } : {},
    shortened && text.length > shortened ? `${text.slice(0, shortened)}…` : text,
  );

/** Text in which `…` marks a command. */
export const prose = (text) =>
  text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));

export const badge = (state, text) => h(`span.badge.${state}`, {}, icon(state), ` ${text}`);

const SHAPES = {
  good: "M3 8.5l3.2 3.2L13 5",
  bad: "M4 4l8 8M12 4l-8 8",
  unknown: "M5.5 6a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.4M8 12.4v.2",
  note: "M8 7v5M8 4.2v.2",
};

export function icon(state) {
  return svg(
    "svg",
    { class: `icon ${state}`, viewBox: "0 0 16 16", role: "img", "aria-label": t(`state.${state}`) },
    svg("path", { d: SHAPES[state] ?? SHAPES.note }),
  );
}

export const card = (title, ...content) =>
  h("section.card", {}, title ? h("h2", {}, title) : null, ...content);

export const facts = (rows) =>
  h(
    "dl.facts",
    {},
    rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );

/** A table whose rows become blocks on narrow screens: each cell knows its column's name. */
export function table(caption, columns, rows, { quiet = false } = {}) {
  return h(
    "table",
    {},
    h(quiet ? "caption.hidden" : "caption", {}, caption),
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col" }, c)))),
    h(
      "tbody",
      {},
      rows.map((cells) =>
        h("tr", {}, cells.map((cell, i) => h("td", { "data-name": columns[i] }, cell))),
      ),
    ),
  );
}
