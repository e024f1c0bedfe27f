// The pages. Each is an async function (network, parameters) -> elements; what is unproved is said
// to be so where it stands.

import { NotThere, Refuted, Trail, Unreachable, short } from "./chain.js";
import { dailyChart, shareChart } from "./charts.js";
import { ago, badge, card, code, facts, h, icon, localized, number, table, time } from "./dom.js";
import { locate, read } from "./lookup.js";
import { hex } from "./merkle.js";
import { kindName, language, t } from "./texts.js";

const PAGE = 20;

const heading = (title, lead) => [h("h1", {}, title), lead ? h("p.lead", {}, lead) : null];
const link = (href, ...content) => h("a", { href }, ...content);
const entryLink = (origin, index, text = null) =>
  link(`#/entry/${short(origin)}/${index}`, text ?? number(index));
const chainName = (origin, main) => (origin === main ? t("chain.main") : short(origin));
const when = (seconds) =>
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
      h("p", {}, t(error.text, shown(error.params))),
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

const stepItem = (step) =>
  h(
    `li.${step.state}`,
    {},
    icon(step.state),
    h("div", {}, h("p", {}, t(step.text, shown(step.params))), details(step)),
  );

export const stepList = (trail) => h("ol.steps", {}, trail.steps.map(stepItem));

function cosignerList(network, state, told) {
  const nodes = new Map((told?.nodes ?? []).map((node) => [node.name, node]));
  return h(
    "ul.plain",
    {},
    state.cosigners.map((cosigner) => {
      const said = nodes.get(cosigner.name);
      const mark = { good: "good", bad: "bad", unsupported: "unknown" }[cosigner.state] ?? "note";
      return h(
        "li",
        {},
        h(
          "div.row",
          {},
          h("span", {}, icon(mark), " ", localized(cosigner.title)),
          cosigner.state === "good"
            ? h("span.quiet", {}, time(cosigner.time), ` · ${ago(cosigner.time)}`)
            : h("span.quiet", {}, t(`node.${cosigner.state}`)),
        ),
        said?.lag ? h("p.quiet", {}, t("node.lag", { count: said.lag })) : null,
        said?.error ? h("p.quiet", {}, t("node.error", { what: said.error })) : null,
      );
    }),
  );
}

async function chainRows(network, told) {
  const registered = (await network.rules()).filter((rule) => rule.body.kind === "chain");
  return Promise.all(
    registered.map(async ({ body }) => {
      let state = null;
      try {
        state = await network.state(body.origin);
      } catch (error) {
        if (!(error instanceof NotThere)) throw error;
      }
      const waiting = (told.chains[body.origin] ?? 0) - (state?.size ?? 0);
      return h(
        "li",
        {},
        h(
          "div.row",
          {},
          link(`#/entries/${short(body.origin)}`, h("strong", {}, short(body.origin))),
          h("span.quiet", {}, t(`chain.${body.purpose}`)),
        ),
        h(
          "p",
          {},
          state ? t("chain.committed", { size: state.size }) : t("chain.waiting"),
          waiting > 0 ? h("span.quiet", {}, ` · ${t("chain.pending", { count: waiting })}`) : null,
        ),
      );
    }),
  );
}

export async function overview(network, { days = "30" } = {}) {
  const trail = new Trail();
  const state = await network.checkpoint(trail);
  const [told, counts, listed, status] = await Promise.all([
    network.told("explorer/api/network"),
    network.counts(Number(days)),
    network.blocks(5),
    network.status().catch(() => null),
  ]);
  const good = state.cosigners.filter((c) => c.state === "good").length;
  const kinds = new Map();
  for (const row of counts.totals) kinds.set(row.kind, (kinds.get(row.kind) ?? 0) + row.count);
  const choose = (count) =>
    h(
      "a.button",
      { href: `#/overview/${count}`, "aria-current": String(count) === String(days) ? "true" : null },
      t("overview.days", { count }),
    );
  return [
    heading(
      network.genesis.network,
      t("overview.lead", { nodes: network.nodes.length, quorum: network.genesis.quorum }),
    ),
    h(
      "div.grid",
      {},
      card(
        t("overview.checkpoint"),
        h("p", {}, h("span.big", {}, number(state.size)), ` ${t("overview.entries")}`),
        h("p", {}, badge("good", t("verdict.good"))),
        facts([
          [t("overview.time"), h("span", {}, time(state.time), ` · ${ago(state.time)}`)],
          [t("overview.nodes"), t("overview.quorum", { count: good, of: network.nodes.length })],
          [t("overview.root"), code(hex(state.root))],
        ]),
        h("details", {}, h("summary", {}, t("entry.proof")), stepList(trail)),
      ),
      card(t("overview.nodes"), cosignerList(network, state, status)),
      card(t("overview.chains"), h("ul.plain", {}, mainRow(network, state), await chainRows(network, told))),
      card(
        t("overview.kinds"),
        shareChart(
          [...kinds]
            .map(([kind, value]) => ({ kind, value, label: kindName(kind) }))
            .sort((a, b) => b.value - a.value),
          t("overview.kinds"),
        ),
      ),
      h(
        "section.card.broad",
        {},
        h("div.row", {}, h("h2", {}, t("overview.chart")), h("div.filters", {}, [7, 30, 90].map(choose))),
        dailyChart(counts.days, Number(days)),
        counts.complete ? null : h("p.quiet", {}, t("overview.incomplete")),
        h("p.quiet", {}, t("overview.counts.note")),
      ),
      h("section.card.wide", {}, h("h2", {}, t("overview.blocks")), blockTable(network, listed.blocks)),
    ),
  ];
}

const mainRow = (network, state) =>
  h(
    "li",
    {},
    h("div.row", {}, link("#/entries/main", h("strong", {}, "main")), h("span.quiet", {}, t("chain.main"))),
    h("p", {}, `${number(state.size)} ${t("overview.entries")}`),
  );

function blockTable(network, found) {
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

const pager = (newer, older) =>
  h(
    "div.pager",
    {},
    newer ? h("a.button", { href: newer }, `← ${t("newer")}`) : h("span"),
    older ? h("a.button", { href: older }, `${t("older")} →`) : h("span"),
  );

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
    h("p.quiet", {}, t("entry.relies")),
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

const period = (body, replaced) => {
  const now = new Date().toISOString();
  if (replaced) return badge("note", t("rule.replaced"));
  if (body.from > now) return badge("unknown", t("rule.future"));
  if (body.to !== null && body.to <= now) return badge("note", t("rule.ended"));
  return badge("good", t("rule.inforce"));
};
const day = (text) => (text === null ? t("rule.open") : text.slice(0, 10));

export async function rules(network) {
  const state = await network.checkpoint();
  const { rules: found, refused } = await network.provedRules(state);
  const of = (kind) => found.filter((rule) => rule.body.kind === kind);
  const latest = (kind, key) => new Map(of(kind).map((rule) => [rule.body[key], rule.index]));
  const section = (title, columns, rows, none = t("rules.none")) =>
    card(title, rows.length ? table(title, columns, rows, { quiet: true }) : h("p", {}, none));
  const accredited = (kind) => {
    const newest = latest(kind, "did");
    return of(kind).map(({ index, body }) => [
      entryLink(network.main, index),
      h("span", {}, localized(body.name), h("br"), h("span.quiet", {}, body.did)),
      ...(kind === "issuer" ? [body.types.join(", ")] : []),
      `${day(body.from)} – ${day(body.to)}`,
      period(body, newest.get(body.did) !== index),
    ]);
  };
  const entitlements = latest("entitlement", "id");
  const names = new Map(of("verifier").map(({ body }) => [body.did, localized(body.name)]));
  const contracts = of("contract");
  const closed = new Set(of("chain").map(({ body }) => body.previous));
  const active = contracts.filter(({ body }) => body.activates <= state.size);
  const newest = new Map(active.map(({ body, index }) => [body.name, index]));
  return [
    heading(t("rules.title"), t("rules.lead")),
    h("p", {}, badge("good", t("rules.proved", { count: found.length }))),
    refused ? h("p", {}, badge("bad", t("rules.refused", { count: refused }))) : null,
    section(
      t("rules.contracts"),
      [t("column.index"), t("column.name"), t("column.activates"), t("column.state")],
      contracts.map(({ index, body }) => [
        entryLink(network.main, index),
        h(
          "div",
          {},
          `${body.name} ${body.version}`,
          h("details", {}, h("summary", {}, t("rule.policy")), h("pre", {}, body.policy)),
        ),
        number(body.activates),
        body.activates > state.size
          ? badge("unknown", t("rule.future"))
          : newest.get(body.name) === index
            ? badge("good", t("rule.inforce"))
            : badge("note", t("rule.replaced")),
      ]),
      t("rules.builtin"),
    ),
    section(
      t("rules.issuers"),
      [t("column.index"), t("column.name"), t("column.types"), t("column.from"), t("column.state")],
      accredited("issuer"),
    ),
    section(
      t("rules.verifiers"),
      [t("column.index"), t("column.name"), t("column.from"), t("column.state")],
      accredited("verifier"),
    ),
    section(
      t("rules.entitlements"),
      [t("column.index"), t("column.verifier"), t("column.claims"), t("column.purpose"), t("column.state")],
      of("entitlement").map(({ index, body }) => [
        entryLink(network.main, index, body.id),
        names.get(body.verifier) ?? body.verifier,
        body.claims.map((claim) => short(claim)).join(", "),
        h("span", {}, localized(body.purpose), h("br"), h("span.quiet", {}, localized(body.legalBasis))),
        period(body, entitlements.get(body.id) !== index),
      ]),
    ),
    section(
      t("rules.chains"),
      [t("column.index"), t("column.chain"), t("column.purpose"), t("column.pace"), t("column.state")],
      of("chain").map(({ index, body }) => [
        entryLink(network.main, index),
        h("span", {}, short(body.origin), h("br"), h("span.quiet", {}, t("chain.epoch", { epoch: body.epoch }))),
        t(`chain.${body.purpose}`),
        t("chain.pace", { ...body.batch, delay: body.maxAnchorDelay }),
        closed.has(body.origin) ? badge("note", t("chain.closed")) : badge("good", t("rule.inforce")),
      ]),
    ),
    section(
      t("rules.resources"),
      [t("column.index"), t("column.name"), t("column.digest")],
      of("resource").map(({ index, body }) => [
        entryLink(network.main, index),
        body.url,
        code(body.digest, 18),
      ]),
    ),
    h("p.quiet", {}, t("rules.incomplete")),
  ].filter(Boolean);
}

async function search(network, query) {
  let meaning;
  try {
    meaning = await read(query);
  } catch {
    return [h("div.verdict.unknown", {}, h("p", {}, t("lookup.unclear")))];
  }
  const places = await locate(network, meaning);
  if (places.length === 0) {
    return [h("div.verdict.unknown", { "data-verdict": "none" }, h("p", {}, t("lookup.none")))];
  }
  const parts = [h("p.quiet", {}, t("lookup.found", { count: places.length }))];
  for (const { origin, index } of places.slice(0, 5)) {
    parts.push(
      h("h2", {}, t("entry.title", { chain: chainName(origin, network.main), index })),
      ...(await proof(network, origin, index)),
    );
  }
  return parts;
}

export async function lookup(network, { query = "" } = {}) {
  const field = h("textarea", { id: "query", rows: 2, spellcheck: "false", autocomplete: "off" });
  field.value = query;
  const results = h("div", { "aria-live": "polite" });
  let searches = 0;
  const run = async () => {
    searches += 1;
    const mine = searches;
    results.replaceChildren(h("p.quiet", {}, t("loading")));
    const answer = await search(network, field.value).catch((error) => [failure(error)]);
    // A slow answer to what was asked before must not stand under what is asked now.
    if (mine === searches) results.replaceChildren(...answer);
  };
  const form = h(
    "div.search",
    { role: "search" },
    h("label.hidden", { for: "query" }, t("lookup.label")),
    field,
    h("button.primary", { type: "button", onclick: run }, t("lookup.do")),
  );
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      run();
    }
  });
  if (query) await run();
  return [heading(t("lookup.title"), t("lookup.lead")), form, results];
}

export async function trust(network, { load, reset, message = null }) {
  const input = h("input", { type: "file", accept: ".json,application/json", class: "hidden", id: "own" });
  input.addEventListener("change", () => load(input.files[0]));
  const choose = h("button", { type: "button", onclick: () => input.click() }, t("trust.load"));
  return [
    heading(t("trust.title"), t("trust.lead")),
    message,
    card(
      t("trust.genesis"),
      h("p", {}, badge(network.own ? "good" : "note", t(network.own ? "trust.own" : "trust.served"))),
      facts([
        ["SHA-256", code(network.digest)],
        [t("trust.network"), network.genesis.network],
        [t("trust.created"), network.genesis.created],
        [t("trust.operator"), code(network.genesis.operator)],
        [t("trust.logkey"), code(network.genesis.logKey)],
      ]),
      h(
        "div.filters",
        {},
        h("label.hidden", { for: "own" }, t("trust.load")),
        input,
        choose,
        network.own ? h("button", { type: "button", onclick: reset }, t("trust.reset")) : null,
      ),
    ),
    card(
      t("trust.keys", { quorum: network.genesis.quorum, of: network.nodes.length }),
      facts(network.nodes.flatMap((node) =>
          [node.vkey, node.mlDsaKey]
            .filter(Boolean)
            .map((vkey) => [localized(node.title), code(vkey, 160)]),
        )),
    ),
    card(t("trust.checks"), h("p", {}, t("trust.checks.list"))),
    card(t("trust.not"), h("p", {}, t("trust.not.list"))),
  ].filter(Boolean);
}
