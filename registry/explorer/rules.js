// The rules on the main chain, each proved to stand there.

import { short } from "./chain.js";
import { badge, card, code, h, localized, number, table } from "./dom.js";
import { entryLink, heading } from "./parts.js";
import { t } from "./texts.js";

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
