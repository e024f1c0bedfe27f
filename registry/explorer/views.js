// The pages, by name. Each is an async function (network, parameters) -> elements; what is unproved
// is said to be so where it stands.

import { badge, card, code, facts, h, localized, number, prose, time } from "./dom.js";
import { proof } from "./entries.js";
import { locate, read } from "./lookup.js";
import { hex } from "./merkle.js";
import { chainName, failure, heading } from "./parts.js";
import { t } from "./texts.js";

export { blocks, entries, entry } from "./entries.js";
export { overview } from "./overview.js";
export { rules } from "./rules.js";

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

const memoryCard = (seen, forget) =>
  card(
    t("trust.seen"),
    h("p", {}, t("trust.seen.lead")),
    seen
      ? facts([
          [t("overview.entries"), number(seen.size)],
          [t("overview.time"), time(seen.time)],
          [t("overview.root"), code(hex(seen.root))],
        ])
      : h("p.quiet", {}, t("trust.seen.none")),
    seen
      ? h("div.filters", {}, h("button", { type: "button", onclick: forget }, t("trust.seen.forget")))
      : null,
  );

export async function trust(network, { load, reset, forget, message = null }) {
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
    memoryCard(network.memory.read().at(-1), forget),
    card(t("trust.checks"), h("p", {}, t("trust.checks.list"))),
    card(t("trust.not"), h("p", {}, prose(t("trust.not.list")))),
  ].filter(Boolean);
}
