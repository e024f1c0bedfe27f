// The frame: which page is shown, language, appearance. Addresses are fragments, so the server
// learns from none of them what a reader looks at beyond what the page then fetches.

import { Network } from "./chain.js";
import { h } from "./dom.js";
import { equal } from "./merkle.js";
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
const LARGEST_GENESIS = 16 * 1024;

const find = (id) => document.getElementById(id);
const main = find("main");

function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // It then lasts as long as the page.
  }
}

let network = null;
let theme = THEMES.includes(remembered("zl-theme")) ? remembered("zl-theme") : "auto";
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

async function show({ focus = false, message = null } = {}) {
  turn += 1;
  const mine = turn;
  const found = route();
  frame(found?.name);
  main.setAttribute("aria-busy", "true");
  if (!main.childElementCount) main.replaceChildren(h("p.quiet", {}, t("loading")));
  find("live").textContent = t("loading");
  let content;
  try {
    network ??= await Network.open();
    frame(found?.name);
    if (!found) content = [h("h1", {}, t("error.page"))];
    else {
      const extra = found.view === "trust" ? { load, reset, message } : {};
      content = await views[found.view](network, { ...found.parameters, ...extra });
    }
  } catch (error) {
    content = [h("h1", {}, found ? t(`nav.${found.name}`) : t("title")), views.failure(error)];
    content.push(h("button", { type: "button", onclick: () => again() }, t("again")));
  }
  if (mine !== turn) return; // the reader went on meanwhile
  main.replaceChildren(...content.flat().filter(Boolean));
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

async function load(file) {
  if (!file || file.size > LARGEST_GENESIS) {
    show({ message: h("div.verdict.unknown", {}, h("p", {}, t("trust.unfit"))) });
    return;
  }
  try {
    const own = await Network.open(new Uint8Array(await file.arrayBuffer()));
    const served = await Network.open();
    const same = equal(own.raw, served.raw);
    network = own;
    show({
      message: h(
        `div.verdict.${same ? "good" : "bad"}`,
        { role: "alert" },
        h("p", {}, t(same ? "trust.same" : "trust.differs")),
      ),
    });
  } catch {
    show({ message: h("div.verdict.unknown", { role: "alert" }, h("p", {}, t("trust.unfit"))) });
  }
}

function reset() {
  network = null;
  show();
}

find("language").addEventListener("click", () => {
  setLanguage(language() === "en" ? "zh-CN" : "en");
  remember("zl-language", language());
  show();
});
find("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  remember("zl-theme", theme);
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

const wished = remembered("zl-language") ?? navigator.language;
setLanguage(wished.toLowerCase().startsWith("zh") ? "zh-CN" : "en");
show();
