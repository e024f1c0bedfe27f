// Entries and blocks: lists of them, and one entry with its proof.

import { NotThere, Refuted, Trail, short } from "./chain.js";
import { badge, card, code, facts, h, icon, localized, number, prose, table } from "./dom.js";
import { hex } from "./merkle.js";
import {
  blockTable,
  chainName,
  entryLink,
  failure,
  heading,
  link,
  pager,
  stepList,
  when,
} from "./parts.js";
import { kindName, t } from "./texts.js";

const PAGE = 20;

export async function blocks(network, { before = null } = {}) {
  const from = before === null ? null : Number(before);
  const { blocks: found } = await network.blocks(PAGE, from);
  const last = found.length ? found[found.length - 1].index : 0;
  return [
    heading(t("blocks.title"), t("blocks.lead")),
    card(
      null,
      blockTable(network, found),
      pager(from === null ? null : "#/blocks", found.length === PAGE ? `#/blocks/${last}` : null),
    ),
  ];
}

function content(body) {
  switch (body.kind) {
    case "anchor":
      return h("span", {}, code(body.anchor, 20), h("br"), h("span.quiet", {}, body.issuer));
    case "access":
      return h("span", {}, code(body.commitment, 20), h("br"), h("span.quiet", {}, body.verifier));
    case "status":
      return h("span", {}, body.list, h("br"), h("span.quiet", {}, body.time));
    case "seal":
      return h("span", {}, `${number(body.count)} · ${body.time}`, h("br"), h("span.quiet", {}, body.submitter));
    case "checkpoint":
      return `${short(body.origin)}: ${t("blocks.range", { start: body.start, last: body.end - 1 })}`;
    case "issuer":
    case "verifier":
      return localized(body.name);
    case "entitlement":
      return `${body.id}: ${localized(body.purpose)}`;
    case "contract":
      return `${body.name} ${body.version}`;
    case "resource":
      return body.url;
    case "chain":
      return `${short(body.origin)} · ${t(`chain.${body.purpose}`)}`;
    default:
      return body.network ?? "";
  }
}

async function originOf(network, name) {
  const { chains } = await network.told("explorer/api/network");
  const origin = Object.keys(chains).find((o) => short(o) === name);
  if (!origin) throw new NotThere(name);
  return origin;
}

export async function entries(network, { chain = "main", end = null } = {}) {
  const { chains } = await network.told("explorer/api/network");
  const choices = Object.keys(chains).map((origin) =>
    h(
      "a.button",
      { href: `#/entries/${short(origin)}`, "aria-current": short(origin) === chain ? "true" : null },
      chainName(origin, network.main),
    ),
  );
  const top = [heading(t("entries.title"), t("entries.lead")), h("div.filters", {}, choices)];
  const origin = await originOf(network, chain);
  let state;
  try {
    state = await network.state(origin);
  } catch (error) {
    if (!(error instanceof NotThere)) throw error;
    return [...top, card(null, h("p", {}, t("entries.empty")))];
  }
  const stop = end === null ? state.size : Math.min(Number(end), state.size);
  const start = Math.max(0, stop - PAGE);
  const found = (await network.entries(state, start, stop)).reverse();
  return [
    ...top,
    card(
      null,
      h("p", {}, badge("good", t("entries.verified", { count: found.length }))),
      table(
        t("entries.caption", {
          chain: chainName(origin, network.main),
          start,
          last: Math.max(0, stop - 1),
          size: state.size,
        }),
        [t("column.index"), t("column.kind"), t("column.content")],
        found.map(({ index, body }) => [entryLink(origin, index), kindName(body.kind), content(body)]),
      ),
      pager(
        stop < state.size ? `#/entries/${chain}/${Math.min(state.size, stop + PAGE)}` : null,
        start > 0 ? `#/entries/${chain}/${start}` : null,
      ),
    ),
  ];
}

/** The proof of one entry as it comes in: verdict, steps, content. */
export async function proof(network, origin, index) {
  const trail = new Trail();
  let found = null;
  let verdict;
  try {
    found = await network.entry(origin, index, trail);
    const count = found.state.cosigners.filter((c) => c.state === "good").length;
    verdict = h(
      "div.verdict.good",
      { "data-verdict": "good" },
      h("strong", {}, icon("good"), t("verdict.good")),
      h(
        "p",
        {},
        t("entry.good", { chain: short(origin), index, count, time: when(found.state.time) }),
      ),
    );
  } catch (error) {
    verdict = failure(error);
    verdict.dataset.verdict = error instanceof Refuted ? "bad" : "unknown";
  }
  return [
    verdict,
    found
      ? card(
          t("entry.content"),
          facts([
            [t("entry.kind"), kindName(found.body.kind)],
            [t("entry.place"), link(`#/entry/${short(origin)}/${index}`, `${short(origin)}:${index}`)],
            [t("entry.leaf"), code(hex(found.leaf))],
          ]),
          h("h3", {}, t("entry.readable")),
          h("pre", {}, JSON.stringify(found.body, null, 2)),
          h(
            "details",
            {},
            h("summary", {}, t("entry.raw")),
            h("pre", {}, new TextDecoder().decode(found.raw)),
          ),
        )
      : null,
    card(t("entry.proof"), stepList(trail)),
    h("p.quiet", {}, prose(t("entry.relies"))),
  ].filter(Boolean);
}

export async function entry(network, { chain, index }) {
  const origin = await originOf(network, chain);
  const at = Number(index);
  return [
    heading(t("entry.title", { chain: chainName(origin, network.main), index: at })),
    h(
      "div.pager",
      {},
      at > 0 ? h("a.button", { href: `#/entry/${chain}/${at - 1}` }, `← ${t("entry.prev")}`) : h("span"),
      h("a.button", { href: `#/entry/${chain}/${at + 1}` }, `${t("entry.next")} →`),
    ),
    ...(await proof(network, origin, at)),
  ];
}
