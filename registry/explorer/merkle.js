// Merkle trees (RFC 6962) over WebCrypto's SHA-256, and tiles as c2sp.org/tlog-tiles lays them out.
// Numbers, not BigInt: trees of up to 2^53 entries, so no bit operators (they stop at 2^32).

export const WIDTH = 256;

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function equal(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

export function fromHex(text) {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw new Error("not hexadecimal");
  return new Uint8Array((text.match(/../g) ?? []).map((pair) => parseInt(pair, 16)));
}

/** Standard base64 with padding, in its one spelling. */
export function fromBase64(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (toBase64(bytes) !== text) throw new Error("base64 in another spelling");
  return bytes;
}

export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

/** Multibase base64url without padding, as the chain writes digests: `u…`. */
export function fromMultibase(text) {
  if (!/^u[A-Za-z0-9_-]*$/.test(text)) throw new Error("not multibase base64url");
  const body = text.slice(1).replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(body + "=".repeat((4 - (body.length % 4)) % 4));
}

export const toMultibase = (bytes) =>
  "u" + toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

export const leafHash = (entry) => sha256(concat(LEAF, entry));
export const nodeHash = (left, right) => sha256(concat(NODE, left, right));

/** MTH over leaf hashes; an odd last node moves up unchanged. */
export async function rootOf(leaves) {
  if (leaves.length === 0) return sha256(new Uint8Array());
  let level = leaves;
  while (level.length > 1) {
    const above = [];
    for (let i = 0; i + 1 < level.length; i += 2) above.push(nodeHash(level[i], level[i + 1]));
    const done = await Promise.all(above);
    if (level.length % 2) done.push(level[level.length - 1]);
    level = done;
  }
  return level[0];
}

/** The greatest power of two smaller than n (n > 1). */
function split(n) {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The fewest complete, aligned subtrees [level, index] that cover leaves [begin, end). */
function completeSubtrees(begin, end) {
  const cover = [];
  while (begin < end) {
    let level = 0;
    let size = 1;
    while (begin % (size * 2) === 0 && begin + size * 2 <= end) {
      size *= 2;
      level += 1;
    }
    cover.push([level, begin / size]);
    begin += size;
  }
  return cover;
}

export async function fold(hashes) {
  let result = hashes[hashes.length - 1];
  for (let i = hashes.length - 2; i >= 0; i -= 1) result = await nodeHash(hashes[i], result);
  return result;
}

export const widthAt = (level, index, size) =>
  Math.max(0, Math.min(WIDTH, Math.floor(size / WIDTH ** Math.max(level, 0)) - index * WIDTH));

/** `tile/<L>/<N>[.p/<W>]`, 1234067 being x001/x234/067. */
export function tilePath(level, index, width) {
  let rest = Math.floor(index / 1000);
  let path = String(index % 1000).padStart(3, "0");
  while (rest > 0) {
    path = `x${String(rest % 1000).padStart(3, "0")}/${path}`;
    rest = Math.floor(rest / 1000);
  }
  return `tile/${level}/${path}${width === WIDTH ? "" : `.p/${width}`}`;
}

export function splitHashes(data) {
  const found = [];
  for (let at = 0; at < data.length; at += 32) found.push(data.slice(at, at + 32));
  return found;
}

/** The entries of a bundle: each behind its big-endian length of two bytes. */
export function splitBundle(data, count) {
  const found = [];
  let at = 0;
  while (found.length < count) {
    if (at + 2 > data.length) throw new Error("the bundle is too short");
    const length = data[at] * 256 + data[at + 1];
    if (at + 2 + length > data.length) throw new Error("the bundle is too short");
    found.push(data.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  if (at !== data.length) throw new Error("the bundle is too long");
  return found;
}

/** Reads one tree of `size` leaves through `fetchTile(level, index, width) -> hashes`. */
export class Tree {
  constructor(size, fetchTile) {
    this.size = size;
    this.fetchTile = fetchTile;
    this.held = new Map();
  }

  hashes(level, index) {
    const key = `${level}/${index}`;
    if (!this.held.has(key)) {
      const found = this.fetchTile(level, index, widthAt(level, index, this.size));
      found.catch(() => this.held.delete(key));
      this.held.set(key, found);
    }
    return this.held.get(key);
  }

  async subtree(level, index) {
    const tileLevel = Math.floor(level / 8);
    const inner = 2 ** (level % 8);
    const first = index * inner;
    const tile = Math.floor(first / WIDTH);
    const hashes = await this.hashes(tileLevel, tile);
    const at = first - tile * WIDTH;
    if (hashes.length < at + inner) throw new Error("the tile is too short");
    return rootOf(hashes.slice(at, at + inner));
  }

  async rangeRoot(begin, end) {
    const cover = completeSubtrees(begin, end);
    return fold(await Promise.all(cover.map(([level, index]) => this.subtree(level, index))));
  }

  /** Sibling hashes from the leaf up, each with the side on which it stands. */
  async path(index) {
    const steps = [];
    let begin = 0;
    let end = this.size;
    while (end - begin > 1) {
      const middle = begin + split(end - begin);
      if (index < middle) {
        steps.push({ side: "right", range: [middle, end] });
        end = middle;
      } else {
        steps.push({ side: "left", range: [begin, middle] });
        begin = middle;
      }
    }
    steps.reverse();
    await Promise.all(
      steps.map(async (step) => {
        step.hash = await this.rangeRoot(...step.range);
      }),
    );
    return steps;
  }
}

/** Climbs from a leaf along its path; returns the steps with the hash that each leads to. */
export async function climb(leaf, path) {
  let hash = leaf;
  const steps = [];
  for (const { side, hash: sibling, range } of path) {
    hash = await (side === "left" ? nodeHash(sibling, hash) : nodeHash(hash, sibling));
    steps.push({ side, sibling, range, result: hash });
  }
  return { root: hash, steps };
}
