// The frame: which page is shown, language, appearance. Addresses are fragments, so the server
// learns from none of them what a reader looks at beyond what the page then fetches.

import { Network } from "./chain.js";
import { h } from "./dom.js";
import { kept } from "./memory.js";
import { equal } from "./merkle.js";
import { failure } from "./parts.js";
import { language, setLanguage, t } from "./texts.js";
import * as views from "./views.js";

const ROUTES = [
  ["", "overview", /^\/?$/, () => ({})],
  ["overview", "overview", /^\/overview\/(\d{1,4})$/, ([days]) => ({ days })],
  ["lookup", "lookup", /^\/lookup(?:\/([^/]*))?$/, ([query]) => ({ query: query ?? "" })],
  ["entries", "entries", /^\/entries(?:\/([a-z0-9._-]+)(?:\/(\d+))?)?$/, ([chain, end]) => ({ chain, end })],
  ["entries", "entry", /^\/entry\/([a-z0-9._-]+)\/(\d+)$/, ([chain, index]) => ({ chain, index })],
  ["blocks", "blocks", /^\/blocks(?:\/(\d+))?$/, ([before]) => ({ before })],
  ["rules", "rules", /^\/rules$/, () => ({})],
  ["trust", "trust", /^\/trust$/, () => ({})],
];
const NAVIGATION = [
  ["overview", "#/"],
  ["lookup", "#/lookup"],
  ["entries", "#/entries/main"],
  ["blocks", "#/blocks"],
  ["rules", "#/rules"],
  ["trust", "#/trust"],
];
const THEMES = ["auto", "light", "dark"];
const LARGEST_GENESIS = 40 * 1024 + 1; // sixteen nodes with keys of ML-DSA-44, and a line's end

const find = (id) => document.getElementById(id);
const main = find("main");

let network = null;
let theme = THEMES.includes(kept.get("zl-theme")) ? kept.get("zl-theme") : "auto";
let turn = 0;

function frame(name) {
  document.documentElement.lang = language();
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  find("skip").textContent = t("skip");
  find("brand").textContent = t("brand");
  find("network").textContent = network?.genesis.network ?? "";
  find("language").textContent = t("language.switch");
  find("language").lang = language() === "en" ? "zh-CN" : "en";
  find("theme").textContent = t(`theme.${theme}`);
  find("theme").setAttribute("aria-label", t("theme.label", { now: t(`theme.${theme}`) }));
  find("nav").setAttribute("aria-label", t("nav"));
  find("nav").replaceChildren(
    ...NAVIGATION.map(([page, href]) =>
      h("a", { href, "aria-current": page === name ? "page" : null }, t(`nav.${page}`)),
    ),
  );
  find("footer").replaceChildren(h("p", {}, t("footer", { host: location.host })));
}

function decoded(text) {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  const path = location.hash.slice(1);
  for (const [name, view, pattern, parameters] of ROUTES) {
    const match = pattern.exec(path);
    if (match) {
      return { name: name || "overview", view, parameters: parameters(match.slice(1).map(decoded)) };
    }
  }
  return null;
}

/** Shows the address's page. What stood there goes first: the marks of one page must not stand
 *  under the address of another for as long as a server likes to wait. `keep` is for the same page
 *  in other words. */
async function show({ focus = false, keep = false, message = null } = {}) {
  turn += 1;
  const mine = turn;
  const address = location.hash;
  const found = route();
  frame(found?.name);
  main.setAttribute("aria-busy", "true");
  if (!keep || !main.childElementCount) main.replaceChildren(h("p.quiet", {}, t("loading")));
  find("live").textContent = t("loading");
  let content;
  try {
    network ??= await Network.open();
    frame(found?.name);
    if (!found) content = [h("h1", {}, t("error.page"))];
    else {
      const extra = found.view === "trust" ? { load, reset, forget, message } : {};
      content = await views[found.view](network, { ...found.parameters, ...extra });
    }
  } catch (error) {
    content = [h("h1", {}, found ? t(`nav.${found.name}`) : t("title")), failure(error)];
    content.push(h("button", { type: "button", onclick: () => again() }, t("again")));
  }
  if (mine !== turn) return; // the reader went on meanwhile
  main.replaceChildren(...content.flat().filter(Boolean));
  main.dataset.page = address;
  main.removeAttribute("aria-busy");
  const title = main.querySelector("h1")?.textContent ?? "";
  document.title = `${title} · ${t("title")}`;
  find("live").textContent = t("loaded", { title });
  if (focus) main.focus({ preventScroll: true });
}

function again() {
  network?.forget();
  show();
}

const said = (state, text) => ({
  message: h(`div.verdict.${state}`, { role: "alert" }, h("p", {}, t(text))),
});

/** From here on the reader's own genesis is what everything is proved under, whatever the server
 *  answers when it is asked for its own. */
async function load(file) {
  let own;
  try {
    if (!file || file.size > LARGEST_GENESIS) throw new Error("not the size of a genesis");
    own = await Network.open(new Uint8Array(await file.arrayBuffer()));
  } catch {
    show(said("unknown", "trust.unfit"));
    return;
  }
  network = own;
  let served;
  try {
    served = await Network.open();
  } catch {
    if (network === own) show(said("unknown", "trust.unanswered"));
    return;
  }
  if (network !== own) return; // another was chosen meanwhile
  const same = equal(own.raw, served.raw);
  show(said(same ? "good" : "bad", same ? "trust.same" : "trust.differs"));
}

function forget() {
  network.memory.forget();
  again();
}

function reset() {
  network = null;
  show();
}

find("language").addEventListener("click", () => {
  setLanguage(language() === "en" ? "zh-CN" : "en");
  kept.set("zl-language", language());
  show({ keep: true });
});
find("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  kept.set("zl-theme", theme);
  frame(route()?.name);
});
find("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the page's address
  main.focus();
});
addEventListener("hashchange", () => {
  scrollTo(0, 0);
  show({ focus: true });
});

const wished = kept.get("zl-language") ?? navigator.language;
setLanguage(wished.toLowerCase().startsWith("zh") ? "zh-CN" : "en");
show();
