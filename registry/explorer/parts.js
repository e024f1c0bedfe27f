// Pieces that several pages are made of: verdicts, steps of a proof, links, tables of blocks.

import { NotThere, Refuted, Unreachable, short } from "./chain.js";
import { code, h, icon, number, prose, table } from "./dom.js";
import { hex } from "./merkle.js";
import { language, t } from "./texts.js";

export const heading = (title, lead) => [h("h1", {}, title), lead ? h("p.lead", {}, lead) : null];
export const link = (href, ...content) => h("a", { href }, ...content);
export const entryLink = (origin, index, text = null) =>
  link(`#/entry/${short(origin)}/${index}`, text ?? number(index));
export const chainName = (origin, main) => (origin === main ? t("chain.main") : short(origin));
export const when = (seconds) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium", hour12: false }).format(
    new Date(seconds * 1000),
  );

/** A failure as a box: refuted, or undecided. Never an empty page. */
export function failure(error) {
  if (error instanceof Refuted) {
    return h(
      "div.verdict.bad",
      { role: "alert" },
      h("strong", {}, icon("bad"), t("verdict.bad")),
      h("p", {}, prose(t(error.text, shown(error.params)))),
      h("p", {}, t("verdict.bad.more")),
    );
  }
  let text = t("error.other", { what: String(error.message ?? error) });
  if (!globalThis.crypto?.subtle) text = t("error.crypto");
  else if (error instanceof NotThere) text = t("error.none");
  else if (error instanceof Unreachable) text = t("error.unreachable", { what: error.message });
  return h(
    "div.verdict.unknown",
    { role: "alert" },
    h("strong", {}, icon("unknown"), t("verdict.unknown")),
    h("p", {}, text),
  );
}

const shown = (params) => ({ ...params, ...(params.time ? { time: when(params.time) } : {}) });

function details(step) {
  const found = step.details;
  if (!found) return null;
  if (found.note) {
    return h("details", {}, h("summary", {}, t("details.note")), h("pre", {}, found.note));
  }
  if (found.steps) {
    const count = found.steps.length;
    return h(
      "details",
      {},
      h("summary", {}, t("details.path", { count })),
      h(
        "ol.path",
        { start: 0 },
        h("li", {}, `${t("details.leaf")} `, code(hex(found.leaf))),
        found.steps.map(({ side, sibling, result }) =>
          h("li", {}, `${t(`details.${side}`)} `, code(hex(sibling), 16), " → ", code(hex(result))),
        ),
      ),
      h("p.quiet", {}, `${t("details.root")}: `, code(hex(found.expected))),
    );
  }
  return found.error ? h("p.quiet", {}, found.error) : null;
}

export const stepItem = (step) =>
  h(
    `li.${step.state}`,
    {},
    icon(step.state),
    h("div", {}, h("p", {}, prose(t(step.text, shown(step.params)))), details(step)),
  );

export const stepList = (trail) => h("ol.steps", {}, trail.steps.map(stepItem));

export function blockTable(network, found) {
  if (found.length === 0) return h("p", {}, t("blocks.empty"));
  return table(
    t("blocks.caption"),
    [t("column.index"), t("column.chain"), t("column.batch"), t("column.count"), t("column.root")],
    found.map((block) => [
      entryLink(network.main, block.index),
      short(block.origin),
      t("blocks.range", { start: block.start, last: block.end - 1 }),
      number(block.end - block.start),
      code(block.root, 18),
    ]),
  );
}

export const pager = (newer, older) =>
  h(
    "div.pager",
    {},
    newer ? h("a.button", { href: newer }, `← ${t("newer")}`) : h("span"),
    older ? h("a.button", { href: older }, `${t("older")} →`) : h("span"),
  );
