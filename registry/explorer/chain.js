// Reading the chains, and proving what was read. Nothing that a server sends is called verified
// before its hashes lead to a checkpoint with the genesis' quorum of valid cosignatures.
//
// Every check adds a step to a `Trail`, so that the reader sees what was checked and with what
// result. A step is {state: "good" | "bad" | "unknown" | "note", text, params, details}.

import {
  WIDTH,
  Tree,
  climb,
  concat,
  equal,
  fromMultibase,
  hex,
  leafHash,
  rootOf,
  sha256,
  splitBundle,
  splitHashes,
  tilePath,
  widthAt,
} from "./merkle.js";
import { Memory, beginsWith } from "./memory.js";
import { checkSignature, parseCheckpoint, parseKey, parseNote, parseProof } from "./note.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const FRESH_MS = 5000;
const SKEW_S = 300; // a cosignature from further ahead does not count
const LARGEST_BATCH = 4096; // leaves of a batch whose subtree is rebuilt on sight
const PATIENCE_MS = 30_000; // for one answer, its last byte included
const LARGEST_ANSWER = 8 * 1024 * 1024; // a bundle is 256 entries of 8 KiB at most
const MOST_RULES = 50_000;

export class NotThere extends Error {}
export class Unreachable extends Error {}
/** An answer that no honest server gives, whatever the chain holds: too large, or without an end. */
class Unfit extends Error {}
/** A check failed: what was shown does not belong to the chain. */
export class Refuted extends Error {
  constructor(text, params = {}) {
    super(text);
    this.text = text;
    this.params = params;
  }
}

export class Trail {
  constructor(onStep = () => {}) {
    this.steps = [];
    this.onStep = onStep;
  }

  add(state, text, params = {}, details = null) {
    const step = { state, text, params, details };
    this.steps.push(step);
    this.onStep(step);
    return step;
  }

  good(text, params, details) {
    this.add("good", text, params, details);
  }

  refute(text, params, details) {
    this.add("bad", text, params, details);
    throw new Refuted(text, params);
  }

  get failed() {
    return this.steps.some((step) => step.state === "bad");
  }
}

export const short = (origin) => origin.slice(origin.lastIndexOf("/") + 1);

const parseKeys = (...vkeys) => Promise.all(vkeys.filter(Boolean).map(parseKey));

/** A party with several keys counts once: by any valid signature, unless one of them is wrong. */
async function checkParty(note, keys) {
  const found = await Promise.all(keys.map((key) => checkSignature(note, key)));
  const of = (state) => found.filter((one) => one.state === state);
  if (of("bad").length) return { state: "bad" };
  if (of("good").length) return { state: "good", time: Math.max(...of("good").map((g) => g.time)) };
  return of("unsupported")[0] ?? { state: "absent" };
}

async function ask(path) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const answer = await fetch(`../${path}`, { cache: "no-store", redirect: "error", signal });
    if (answer.status === 404) throw new NotThere(path);
    if (!answer.ok) throw new Unreachable(`${path}: ${answer.status}`);
    return await bodyOf(answer, path);
  } catch (error) {
    if (error instanceof NotThere || error instanceof Unfit || error instanceof Unreachable) throw error;
    throw new Unreachable(path); // no connection, or no end of it in time
  }
}

async function bodyOf(answer, path) {
  const parts = [];
  let size = 0;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return concat(...parts);
    size += value.length;
    if (size > LARGEST_ANSWER) {
      await reader.cancel();
      throw new Unfit(`${path}: > ${LARGEST_ANSWER}`);
    }
    parts.push(value);
  }
}

const askJson = async (path) => JSON.parse(decoder.decode(await ask(path)));

export class Network {
  /** `own` is a genesis file that the reader brought; else the server's is taken, and said so. */
  static async open(own = null) {
    const bytes = own ?? (await ask("genesis"));
    const raw = bytes[bytes.length - 1] === 10 ? bytes.slice(0, -1) : bytes;
    const genesis = JSON.parse(decoder.decode(raw));
    if (genesis.kind !== "genesis") throw new Error("not a genesis");
    const network = new Network();
    network.genesis = genesis;
    network.raw = raw;
    network.own = own !== null;
    network.digest = hex(await sha256(raw));
    network.memory = new Memory(network.digest);
    network.main = genesis.origin;
    network.logKeys = await parseKeys(genesis.logKey, genesis.mlDsaKey);
    network.nodes = await Promise.all(
      genesis.nodes.map(async (node) => ({ ...node, keys: await parseKeys(node.vkey, node.mlDsaKey) })),
    );
    return network;
  }

  constructor() {
    this.cache = new Map();
  }

  forget() {
    this.cache.clear();
  }

  /** A value for some seconds, so that one view asks once. Failures are not kept. */
  remember(key, make) {
    const held = this.cache.get(key);
    if (held && Date.now() - held.at < FRESH_MS) return held.value;
    const value = make();
    this.cache.set(key, { at: Date.now(), value });
    value.catch(() => this.cache.delete(key));
    return value;
  }

  told(path) {
    return this.remember(`told ${path}`, () => askJson(path));
  }

  /** The main chain's checkpoint with its quorum checked: {size, root, cosigners, time, tree}. */
  async checkpoint(trail = new Trail()) {
    const bytes = await this.remember("checkpoint", () => ask(`${this.main}/checkpoint`));
    return this.checkMain(bytes, trail);
  }

  async checkMain(bytes, trail) {
    let note;
    let state;
    try {
      note = parseNote(bytes);
      state = parseCheckpoint(note.text);
    } catch (error) {
      trail.refute("step.checkpoint.malformed", {}, { error: String(error) });
    }
    const details = { note: decoder.decode(bytes) };
    if (state.origin !== this.main) trail.refute("step.checkpoint.foreign", {}, details);
    const signed = await checkParty(note, this.logKeys);
    if (signed.state === "unsupported") {
      trail.add("unknown", "step.unsupported", { name: this.main }, details);
      throw new Unreachable("this browser cannot check Ed25519");
    }
    if (signed.state !== "good") trail.refute("step.log.bad", { origin: this.main }, details);
    trail.good("step.log.good", { origin: this.main, size: state.size }, details);
    const cosigners = await Promise.all(
      this.nodes.map(async (node) => ({
        name: node.name,
        title: node.title,
        ...(await checkParty(note, node.keys)),
      })),
    );
    const now = Date.now() / 1000;
    const counted = cosigners.filter((c) => c.state === "good" && c.time <= now + SKEW_S);
    for (const cosigner of cosigners) {
      const known = ["good", "bad", "unsupported"].includes(cosigner.state);
      const kind = known ? cosigner.state : "absent";
      trail.add(
        { good: "good", bad: "bad", absent: "note", unsupported: "unknown" }[kind],
        `step.node.${kind}`,
        { title: cosigner.title, time: cosigner.time ?? 0 },
      );
    }
    const needed = this.genesis.quorum;
    const of = this.nodes.length;
    if (cosigners.some((c) => c.state === "bad")) throw new Refuted("step.node.bad");
    if (counted.length < needed) {
      trail.refute("step.quorum.bad", { found: counted.length, needed, of });
    }
    trail.good("step.quorum.good", { found: counted.length, needed, of });
    // At this time or later a quorum still held this tree for the latest (the k-th newest time).
    const time = counted.map((c) => c.time).sort((a, b) => b - a)[needed - 1];
    await this.compare({ ...state, time }, trail);
    return {
      origin: this.main,
      ...state,
      cosigners,
      time,
      note: details.note,
      tree: this.tree(this.main, state),
    };
  }

  /** Sets a cosigned state beside what this browser saw before: the largest that it should begin
   *  with, and the largest of all, which it should be the beginning of. */
  async compare(state, trail) {
    const seen = this.memory.read();
    const last = seen.at(-1);
    const earlier = seen.findLast(({ size }) => size <= state.size);
    if (earlier) {
      const { size, time } = earlier;
      await this.mustBegin(state, earlier, trail, { size, time });
      if (earlier === last) trail.good("step.seen.good", { size, time });
    }
    if (last && last !== earlier) {
      const params = { size: last.size, time: last.time, now: state.size };
      try {
        await this.mustBegin(last, state, trail, params);
        trail.good("step.seen.good", params);
      } catch (error) {
        if (!(error instanceof NotThere)) throw error;
        trail.add("unknown", "step.seen.behind", params); // the server has no tiles of that size
      }
    }
    this.memory.keep(state);
  }

  async mustBegin(large, small, trail, params) {
    let answer = equal(small.root, large.root) ? "yes" : "no";
    if (small.size < large.size) {
      answer = await beginsWith(await this.tree(this.main, large), large.root, small);
    }
    if (answer !== "yes") trail.refute(answer === "no" ? "step.seen.bad" : "step.tile.root", params);
  }

  tree(origin, { size, root }) {
    const key = `tree ${origin} ${size} ${hex(root)}`;
    return this.remember(key, async () => {
      return new Tree(size, async (level, index, width) => {
        const data = await ask(`${origin}/${tilePath(level, index, width)}`);
        if (data.length !== width * 32) throw new Refuted("step.tile.length");
        return splitHashes(data);
      });
    });
  }

  /** A chain's state as the quorum vouches for it: the main one, or a side chain through it. */
  async state(origin, trail = new Trail(), covering = null) {
    if (origin === this.main) return this.checkpoint(trail);
    const query = covering === null ? "" : `?covering=${covering}`;
    const bytes = await this.remember(`cosigned ${origin}${query}`, () =>
      ask(`${origin}/cosigned${query}`),
    );
    let proof;
    let entry;
    try {
      proof = parseProof(bytes);
      entry = JSON.parse(decoder.decode(proof.extra));
    } catch (error) {
      trail.refute("step.commitment.malformed", {}, { error: String(error) });
    }
    const main = await this.checkMain(proof.note, trail);
    if (entry.kind !== "checkpoint" || entry.origin !== origin) {
      trail.refute("step.commitment.foreign", { origin });
    }
    await this.prove(main, proof.index, proof.extra, trail, "step.commitment", {
      origin: short(origin),
      index: proof.index,
      size: entry.size,
    });
    const state = { origin, size: entry.size, root: fromMultibase(entry.root) };
    return {
      ...state,
      main,
      entry,
      index: proof.index,
      time: main.time,
      cosigners: main.cosigners,
      tree: this.tree(origin, state),
    };
  }

  /** Climb from an entry's bytes to the root of a verified state; adds `<name>.good` or `.bad`. */
  async prove(state, index, raw, trail, name, params) {
    const tree = await state.tree;
    const leaf = await leafHash(raw);
    let climbed;
    try {
      const leaves = await tree.hashes(0, Math.floor(index / WIDTH));
      if (!equal(leaves[index % WIDTH], leaf)) trail.refute(`${name}.bad`, params);
      climbed = await climb(leaf, await tree.path(index));
    } catch (error) {
      if (error instanceof Refuted && error.text.startsWith("step.tile")) {
        trail.refute(error.text, params);
      }
      throw error;
    }
    const details = { leaf, steps: climbed.steps, expected: state.root, raw };
    if (!equal(climbed.root, state.root)) trail.refute(`${name}.bad`, params, details);
    trail.good(`${name}.good`, { ...params, hashes: climbed.steps.length }, details);
  }

  /** Entries [start, end) of a verified state, each hashed and proved: [{index, raw, body}]. */
  async entries(state, start, end) {
    const tree = await state.tree;
    const found = [];
    for (let bundle = Math.floor(start / WIDTH); bundle * WIDTH < end; bundle += 1) {
      const width = widthAt(0, bundle, state.size);
      const leaves = await tree.hashes(0, bundle);
      // All other hashes of the tile enter the path of its first leaf: one proof for all.
      const climbed = await climb(leaves[0], await tree.path(bundle * WIDTH));
      if (!equal(climbed.root, state.root)) throw new Refuted("step.tile.root");
      const data = await ask(`${state.origin}/${tilePath("entries", bundle, width)}`);
      const rows = splitBundle(data, width);
      for (let at = 0; at < rows.length; at += 1) {
        const index = bundle * WIDTH + at;
        if (index < start || index >= end) continue;
        if (!equal(await leafHash(rows[at]), leaves[at])) {
          throw new Refuted("step.entry.changed", { index });
        }
        found.push({ index, raw: rows[at], body: JSON.parse(decoder.decode(rows[at])) });
      }
    }
    return found;
  }

  /** One entry with every step shown. */
  async entry(origin, index, trail) {
    trail.add("note", this.own ? "step.genesis.own" : "step.genesis.served", {
      digest: this.digest,
    });
    const state = await this.state(origin, trail, origin === this.main ? null : index);
    if (index >= state.size) throw new NotThere(origin);
    const bundle = Math.floor(index / WIDTH);
    const width = widthAt(0, bundle, state.size);
    const data = await ask(`${origin}/${tilePath("entries", bundle, width)}`);
    let raw;
    let body;
    try {
      raw = splitBundle(data, width)[index % WIDTH];
      body = JSON.parse(decoder.decode(raw));
    } catch (error) {
      trail.refute("step.entry.malformed", { index }, { error: String(error) });
    }
    await this.prove(state, index, raw, trail, "step.entry", { origin: short(origin), index });
    if (origin === this.main && body.kind === "checkpoint") await this.checkBatch(body, trail);
    return { origin, index, raw, body, state, leaf: await leafHash(raw) };
  }

  /** Rebuild what a checkpoint entry of the main chain says of its side chain's batch. */
  async checkBatch(body, trail) {
    const state = { origin: body.origin, size: body.size, root: fromMultibase(body.root) };
    const params = { origin: short(body.origin), start: body.start, last: body.end - 1 };
    const tree = await this.tree(body.origin, state);
    if (!equal(await tree.rangeRoot(0, body.size), state.root)) {
      trail.refute("step.batch.root.bad", params);
    }
    trail.good("step.batch.root.good", { ...params, size: body.size });
    if (body.end - body.start > LARGEST_BATCH) {
      trail.add("note", "step.batch.large", params);
      return;
    }
    const leaves = [];
    for (let tile = Math.floor(body.start / WIDTH); tile * WIDTH < body.end; tile += 1) {
      const hashes = await tree.hashes(0, tile);
      leaves.push(...hashes.filter((_, at) => tile * WIDTH + at >= body.start));
    }
    const subtree = await rootOf(leaves);
    const good = equal(subtree, fromMultibase(body.subtree));
    if (!good) trail.refute("step.batch.subtree.bad", params);
    trail.good("step.batch.subtree.good", params);
  }

  /** Where the server says a leaf stands: [{origin, index}]. A hint: proofs decide. */
  async locate(leaf) {
    const { places } = await askJson(`explorer/api/locate/${hex(leaf)}`);
    if (!places.every(({ index }) => Number.isSafeInteger(index) && index >= 0)) {
      throw new Error("not an index");
    }
    return places;
  }

  /** All rules of the main chain, as the server lists them: [{index, raw, body}]. Unproved. */
  rules() {
    return this.remember("rules", async () => {
      const found = [];
      for (;;) {
        if (found.length > MOST_RULES) throw new Unfit(`explorer/api/rules: > ${MOST_RULES}`);
        const after = found.length ? found[found.length - 1].index : -1;
        const { rules } = await askJson(`explorer/api/rules?after=${after}`);
        if (rules.length === 0) return found;
        for (const { index, entry } of rules) {
          if (!(index > after)) throw new Error("rules out of order");
          found.push({ index, raw: encoder.encode(entry), body: JSON.parse(entry) });
        }
      }
    });
  }

  /** The rules that stand in the verified tree, proved one by one; `refused` counts the others. */
  async provedRules(state) {
    const tree = await state.tree;
    const rules = (await this.rules()).filter((rule) => rule.index < state.size);
    const roots = new Map();
    const proved = [];
    for (const rule of rules) {
      const tile = Math.floor(rule.index / WIDTH);
      if (!roots.has(tile)) {
        const leaves = await tree.hashes(0, tile);
        const climbed = await climb(leaves[0], await tree.path(tile * WIDTH));
        roots.set(tile, equal(climbed.root, state.root) ? leaves : null);
      }
      const leaves = roots.get(tile);
      if (leaves && equal(leaves[rule.index % WIDTH], await leafHash(rule.raw))) proved.push(rule);
    }
    return { rules: proved, refused: rules.length - proved.length };
  }

  counts(days) {
    return this.told(`explorer/api/counts?days=${days}`);
  }

  async find(digest) {
    return (await askJson(`explorer/api/find/${encodeURIComponent(digest)}`)).entries;
  }

  blocks(limit, before = null) {
    return this.told(`blocks?limit=${limit}${before === null ? "" : `&before=${before}`}`);
  }

  status() {
    return this.told("status");
  }
}

export const canonical = (body) => {
  // RFC 8785 of flat objects of short ASCII strings and small integers: all that is built here.
  const members = Object.keys(body).sort();
  const text = `{${members.map((m) => `${JSON.stringify(m)}:${JSON.stringify(body[m])}`).join(",")}}`;
  return encoder.encode(text);
};
