// The first page: the checkpoint, who cosigned it, the chains, and what was recorded.

import { NotThere, Trail, short } from "./chain.js";
import { dailyChart, shareChart } from "./charts.js";
import { ago, badge, card, code, facts, h, icon, localized, number, time } from "./dom.js";
import { hex } from "./merkle.js";
import { blockTable, heading, link, stepItem, stepList } from "./parts.js";
import { kindName, t } from "./texts.js";

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

const mainRow = (network, state) =>
  h(
    "li",
    {},
    h("div.row", {}, link("#/entries/main", h("strong", {}, "main")), h("span.quiet", {}, t("chain.main"))),
    h("p", {}, `${number(state.size)} ${t("overview.entries")}`),
  );

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
        trail.steps.some(({ state: of }) => of === "unknown")
          ? h("ul.steps", {}, trail.steps.filter(({ state: of }) => of === "unknown").map(stepItem))
          : null,
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
