// Charts as inline SVG: stacked bars of entries by day and kind. The numbers stand in a table
// beside them, so nobody needs to read the colours.

import { h, number, svg, table } from "./dom.js";
import { t } from "./texts.js";

// Ordered from what is most to what is least; each has its colour and hatch in the style sheet.
export const KINDS = [
  "anchor",
  "access",
  "status",
  "checkpoint",
  "seal",
  "issuer",
  "verifier",
  "entitlement",
  "contract",
  "chain",
  "resource",
  "genesis",
];
const GROUPS = ["anchor", "access", "status", "checkpoint", "seal", "rules"];
const group = (kind) => (GROUPS.includes(kind) ? kind : "rules");

const HEIGHT = 220;
const LEFT = 46;
const BOTTOM = 24;
const TOP = 10;

function niceMaximum(value) {
  const base = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((m) => m * base).find((m) => m >= value);
}

function lastDays(count) {
  const days = [];
  const today = Date.now();
  for (let back = count - 1; back >= 0; back -= 1) {
    days.push(new Date(today - back * 86400000).toISOString().slice(0, 10));
  }
  return days;
}

/** `rows`: [{day, kind, count}] */
export function dailyChart(rows, count) {
  // The text of a drawing shrinks with it, so a narrow screen gets a narrower drawing.
  const WIDTH = globalThis.innerWidth < 640 ? 330 : 640;
  const days = lastDays(count);
  const byDay = new Map(days.map((day) => [day, new Map()]));
  for (const row of rows) {
    const kinds = byDay.get(row.day);
    if (kinds) kinds.set(group(row.kind), (kinds.get(group(row.kind)) ?? 0) + row.count);
  }
  const sums = days.map((day) => [...byDay.get(day).values()].reduce((a, b) => a + b, 0));
  const present = GROUPS.filter((kind) => days.some((day) => byDay.get(day).get(kind)));
  const top = niceMaximum(Math.max(...sums));
  const inner = HEIGHT - TOP - BOTTOM;
  const step = (WIDTH - LEFT) / days.length;
  const y = (value) => TOP + inner * (1 - value / top);
  const grid = [0, 0.5, 1].map((part) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y(top * part), y2: y(top * part) }),
    svg(
      "text",
      { class: "tick", x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" },
      Number.isInteger(top * part) ? compact(top * part) : "",
    ),
  ]);
  const bars = days.map((day, at) => {
    let base = 0;
    const parts = present
      .filter((kind) => byDay.get(day).get(kind))
      .map((kind) => {
        const value = byDay.get(day).get(kind);
        const bar = svg("rect", {
          class: `bar ${kind}`,
          x: LEFT + at * step + step * 0.12,
          width: step * 0.76,
          y: y(base + value),
          height: Math.max(0.5, y(base) - y(base + value)),
        });
        base += value;
        bar.append(svg("title", {}, `${day} · ${t(`group.${kind}`)}: ${number(value)}`));
        return bar;
      });
    return svg("g", {}, parts);
  });
  const every = Math.ceil(days.length / (WIDTH < 400 ? 4 : 6));
  const labels = days.map((day, at) =>
    (days.length - 1 - at) % every === 0
      ? svg(
          "text",
          {
            class: "tick",
            x: LEFT + (at + 0.5) * step,
            y: HEIGHT - 6,
            "text-anchor": at === days.length - 1 ? "end" : "middle",
          },
          day.slice(5),
        )
      : null,
  );
  const summary = t("chart.summary", {
    days: days.length,
    total: sums.reduce((a, b) => a + b, 0),
    today: sums[sums.length - 1],
  });
  return h(
    "figure.chart",
    {},
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": summary },
      grid.flat(),
      bars,
      labels,
    ),
    h(
      "ul.legend",
      { "aria-hidden": "true" },
      present.map((kind) => h("li", {}, h(`span.swatch.${kind}`), t(`group.${kind}`))),
    ),
    h("figcaption", {}, summary),
    h(
      "details",
      {},
      h("summary", {}, t("chart.table")),
      table(
        t("chart.caption"),
        [t("column.day"), ...present.map((kind) => t(`group.${kind}`))],
        days
          .filter((_, at) => sums[at] > 0)
          .reverse()
          .map((day) => [day, ...present.map((kind) => number(byDay.get(day).get(kind) ?? 0))]),
      ),
    ),
  );
}

/** Horizontal bars: [{label, value}], each with its number as text. */
export function shareChart(rows, label) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  return h(
    "ul.shares",
    { "aria-label": label },
    rows.map((row) => {
      const bar = svg(
        "svg",
        { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { class: "track", x: 0, y: 0, width: 100, height: 4 }),
        svg("rect", {
          class: `bar ${group(row.kind)}`,
          x: 0,
          y: 0,
          width: Math.max(0.6, (100 * row.value) / most),
          height: 4,
        }),
      );
      return h("li", {}, h("span", {}, row.label), h("strong", {}, number(row.value)), bar);
    }),
  );
}

const compact = (value) =>
  new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
