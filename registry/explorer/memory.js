// What this browser saw of a network's main chain, so that a later visit notices a history that was
// rewritten, even by a server with a quorum behind it. For each genesis some verified checkpoints
// are kept, in this browser alone: size, root and time, smallest first.

import { climb, equal, fromHex, hex, WIDTH } from "./merkle.js";

const PREFIX = "zl-seen ";
const MOST = 64;

/** A store of texts, which may be missing: a browser that keeps nothing remembers nothing. */
export const kept = {
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // It then lasts as long as the page.
    }
  },
  remove(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // Nothing was kept.
    }
  },
};

export class Memory {
  constructor(genesisDigest) {
    this.key = PREFIX + genesisDigest;
  }

  /** [{size, root, time}], sizes ascending. A line that is not in form counts for nothing. */
  read() {
    return (kept.get(this.key) ?? "")
      .split("\n")
      .map((line) => /^(\d{1,16}) ([0-9a-f]{64}) (\d{1,16})$/.exec(line))
      .filter(Boolean)
      .map(([, size, root, time]) => ({ size: Number(size), root: fromHex(root), time: Number(time) }));
  }

  /** Keeps a verified state that was compared with what was kept before, if it is larger. */
  keep(state) {
    let seen = this.read();
    if (state.size <= (seen.at(-1)?.size ?? 0)) return;
    // Every second one goes when there are many: the oldest and the newest stay.
    if (seen.length >= MOST) seen = seen.filter((_, at) => at % 2 === 0);
    const lines = [...seen, state].map(({ size, root, time }) => `${size} ${hex(root)} ${time}`);
    kept.set(this.key, lines.join("\n"));
  }

  forget() {
    kept.remove(this.key);
  }
}

/** Whether a tree of root `whole` begins with the tree of `size` leaves and root `begin`.
 *
 *  The path of the last leaf of the smaller tree leads to both roots: to the larger with all of its
 *  steps, to the smaller with those from the left alone, since nothing stands to its right there
 *  (RFC 6962, section 2.1). Returns "yes", "no", or "unproved" where the tiles do not belong to
 *  `whole`, so that nothing can be said of `begin`. */
export async function beginsWith(tree, whole, { size, root: begin }) {
  if (size === 0) return "yes"; // every tree begins with the empty one
  const index = size - 1;
  const leaf = (await tree.hashes(0, Math.floor(index / WIDTH)))[index % WIDTH];
  const path = await tree.path(index);
  if (!equal((await climb(leaf, path)).root, whole)) return "unproved";
  const left = path.filter((step) => step.side === "left");
  return equal((await climb(leaf, left)).root, begin) ? "yes" : "no";
}
