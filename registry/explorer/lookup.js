// What a reader may type to find an entry, and where to look for it.
//
// A credential that is pasted stays in this browser: its anchor is computed here, and what is sent
// is the hash of the entry that the anchor would stand in.

import { canonical } from "./chain.js";
import { concat, fromHex, fromMultibase, leafHash, sha256, toMultibase } from "./merkle.js";

const encoder = new TextEncoder();
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const LONGEST = 256 * 1024;
const SD_HEADERS = ["d95d00", "d95d01"]; // VC-DI-ECDSA: base and derived proofs of ecdsa-sd-2023
const hexOf = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

function fromBase58(text) {
  const bytes = [0];
  for (const c of text) {
    let carry = BASE58.indexOf(c);
    if (carry < 0) throw new Error("not base58");
    for (let i = 0; i < bytes.length; i += 1) {
      carry += bytes[i] * 58;
      bytes[i] = carry % 256;
      carry = Math.floor(carry / 256);
    }
    for (; carry > 0; carry = Math.floor(carry / 256)) bytes.push(carry % 256);
  }
  const zeros = /^1*/.exec(text)[0].length;
  const body = bytes.reverse();
  const first = body.findIndex((b) => b !== 0);
  return concat(new Uint8Array(zeros), new Uint8Array(first < 0 ? [] : body.slice(first)));
}

function multibase(text) {
  if (text.startsWith("u")) return fromMultibase(text);
  if (text.startsWith("z")) return fromBase58(text.slice(1));
  throw new Error("not multibase");
}

/** The part of the issuer's proof that every presentation shows, or null. */
function issuerSignature(credential) {
  let proof = credential.proof;
  if (Array.isArray(proof)) proof = proof.length === 1 ? proof[0] : null;
  if (!proof || typeof proof.proofValue !== "string") return null;
  const value = multibase(proof.proofValue);
  if (proof.cryptosuite === "ecdsa-sd-2023") {
    const header = hexOf(value.slice(0, 3));
    // An array of five whose first element is a byte string of 64.
    if (!SD_HEADERS.includes(header) || hexOf(value.slice(3, 6)) !== "855840") return null;
    return value.slice(6, 70);
  }
  // bbs-2023 shows no anchor in what a holder derives: it would link presentations.
  return proof.cryptosuite?.startsWith("bbs-") ? null : value;
}

async function anchorsOf(document) {
  const credentials = document.verifiableCredential
    ? [document.verifiableCredential].flat()
    : [document];
  const found = [];
  for (const credential of credentials) {
    const signature = issuerSignature(credential);
    if (!signature) continue;
    found.push(await sha256(concat(encoder.encode("zhenglian/anchor/v1\0"), signature)));
  }
  return found;
}

/** What the text may mean: {digests: [32 bytes], named: [text], place: {chain, index} | null}. */
export async function read(text) {
  const query = text.trim();
  const none = { digests: [], named: [], place: null };
  if (query.length > LONGEST) throw new Error("too long");
  if (query.startsWith("{")) {
    const digests = await anchorsOf(JSON.parse(query));
    if (digests.length === 0) throw new Error("no anchor in this document");
    return { ...none, digests };
  }
  const place = /^([a-z0-9-]+)[#/: ]\s*(\d{1,15})$/.exec(query);
  if (place) return { ...none, place: { chain: place[1], index: Number(place[2]) } };
  if (/^[0-9a-fA-F]{64}$/.test(query)) return { ...none, digests: [fromHex(query)] };
  if (/^u[A-Za-z0-9_-]{43}$/.test(query)) return { ...none, digests: [fromMultibase(query)] };
  if (/^[uz][A-Za-z0-9_-]{10,126}$/.test(query)) return { ...none, named: [query] };
  if (/^[A-Za-z0-9+/]{43}=$/.test(query)) {
    return { ...none, digests: [Uint8Array.from(atob(query), (c) => c.charCodeAt(0))] };
  }
  throw new Error("not a digest in a form that is known");
}

/** Every leaf hash that a digest may stand for: itself, and the entries that would carry it. */
async function candidates(network, digest) {
  const found = [{ leaf: digest, as: "leaf" }];
  const carried = toMultibase(digest);
  const submitters = new Map();
  for (const { body } of await network.rules()) {
    if (body.kind === "issuer" || body.kind === "verifier") submitters.set(body.did, body.kind);
  }
  for (const [did, kind] of submitters) {
    const body =
      kind === "issuer"
        ? { anchor: carried, issuer: did, kind: "anchor", v: 1 }
        : { commitment: carried, kind: "access", v: 1, verifier: did };
    found.push({ leaf: await leafHash(canonical(body)), as: body.kind });
  }
  return found;
}

/** Where the entries stand, by the server's word: [{origin, index, as}]. Proofs decide. */
export async function locate(network, meaning) {
  const { chains } = await network.told("explorer/api/network");
  const origins = Object.keys(chains);
  const places = [];
  if (meaning.place) {
    const origin = origins.find((o) => o.endsWith(`/${meaning.place.chain}`));
    if (origin) places.push({ origin, index: meaning.place.index, as: "place" });
  }
  for (const name of meaning.named) {
    for (const entry of await network.find(name)) places.push({ ...entry, as: "named" });
  }
  for (const digest of meaning.digests) {
    for (const { leaf, as } of await candidates(network, digest)) {
      for (const { origin, index } of await network.locate(leaf)) {
        places.push({ origin, index, as });
      }
    }
  }
  return places;
}
