// Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature),
// checked with WebCrypto. A signature type that this browser cannot check is not counted.

import { concat, equal, fromBase64, sha256 } from "./merkle.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export const ED25519 = 0x01;
export const ED25519_COSIGNATURE = 0x04;
export const MLDSA44_COSIGNATURE = 0x06;
const MAX_DECIMAL = Number.MAX_SAFE_INTEGER;

export function decimal(text) {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text) || Number(text) > MAX_DECIMAL) {
    throw new Error("not a decimal number in range");
  }
  return Number(text);
}

function seconds(bytes) {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}

/** A verifier key: name, id, type and public key. The id is recomputed, not believed. */
export async function parseKey(vkey) {
  const [name, id, ...rest] = vkey.split("+");
  const material = fromBase64(rest.join("+"));
  const computed = (await sha256(concat(encoder.encode(`${name}\n`), material))).slice(0, 4);
  const shown = Array.from(computed, (b) => b.toString(16).padStart(2, "0")).join("");
  if (shown !== id) throw new Error("the id of a key is not its own");
  return { name, id: computed, type: material[0], raw: material.slice(1) };
}

/** Text and signature lines; nothing is verified yet. */
export function parseNote(bytes) {
  const whole = decoder.decode(bytes);
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n")) throw new Error("not a signed note");
  const text = whole.slice(0, cut + 1);
  const lines = whole.slice(cut + 2, -1).split("\n");
  const signatures = lines.map((line) => {
    const match = /^\u2014 ([^ +]+) (\S+)$/.exec(line);
    if (!match) throw new Error("a signature line is not in form");
    const data = fromBase64(match[2]);
    if (data.length < 5) throw new Error("a signature is too short");
    return { name: match[1], id: data.slice(0, 4), blob: data.slice(4) };
  });
  return { text, signatures };
}

export function parseCheckpoint(text) {
  const lines = text.split("\n");
  if (lines.length < 4 || lines.pop() !== "") throw new Error("not a checkpoint");
  const root = fromBase64(lines[2]);
  if (!lines[0] || root.length !== 32) throw new Error("not a checkpoint");
  return { origin: lines[0], size: decimal(lines[1]), root };
}

const ed25519 = async (raw, signature, message) => {
  const key = await crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
};

const mldsa44 = async (raw, signature, message) => {
  const key = await crypto.subtle.importKey("raw-public", raw, { name: "ML-DSA-44" }, false, [
    "verify",
  ]);
  return crypto.subtle.verify({ name: "ML-DSA-44" }, key, signature, message);
};

function u64(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}

/** What a type 06 cosigner signs: the checkpoint as the subtree [0, size). */
function subtreeMessage(key, time, checkpoint) {
  const name = encoder.encode(key.name);
  const origin = encoder.encode(checkpoint.origin);
  return concat(
    encoder.encode("subtree/v1\n\0"),
    new Uint8Array([name.length]),
    name,
    u64(time),
    new Uint8Array([origin.length]),
    origin,
    u64(0),
    u64(checkpoint.size),
    checkpoint.root,
  );
}

/** How one known key stands to a note: absent, good (with time), bad, or not checkable here. */
export async function checkSignature(note, key) {
  const line = note.signatures.find((s) => s.name === key.name && equal(s.id, key.id));
  if (!line) return { state: "absent" };
  const time = key.type === ED25519 ? null : seconds(line.blob.slice(0, 8));
  try {
    let good = false;
    if (key.type === ED25519) {
      good = await ed25519(key.raw, line.blob, encoder.encode(note.text));
    } else if (key.type === ED25519_COSIGNATURE) {
      const message = encoder.encode(`cosignature/v1\ntime ${time}\n${note.text}`);
      good = time > 0 && (await ed25519(key.raw, line.blob.slice(8), message));
    } else if (key.type === MLDSA44_COSIGNATURE) {
      const message = subtreeMessage(key, time, parseCheckpoint(note.text));
      good = await mldsa44(key.raw, line.blob.slice(8), message); // a log leaves out the time
    } else {
      return { state: "unsupported" };
    }
    return good ? { state: "good", time } : { state: "bad" };
  } catch (error) {
    // A curve or scheme that this browser lacks; a wrong signature gives false instead.
    return { state: "unsupported", reason: String(error) };
  }
}

/** A c2sp.org/tlog-proof: index, path, checkpoint and the extra line. Unverified. */
export function parseProof(bytes) {
  const whole = decoder.decode(bytes);
  const cut = whole.indexOf("\n\n");
  const lines = whole.slice(0, cut).split("\n");
  if (cut < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("not a proof");
  let extra = null;
  if (lines[0]?.startsWith("extra ")) extra = fromBase64(lines.shift().slice(6));
  if (!lines[0]?.startsWith("index ")) throw new Error("the proof has no index");
  const index = decimal(lines.shift().slice(6));
  return { index, hashes: lines.map(fromBase64), note: encoder.encode(whole.slice(cut + 2)), extra };
}
