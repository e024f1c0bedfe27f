"""Limits of the registry, each with its reason. Larger input is refused before it costs work."""

from typing import Final

HASH_BYTES: Final = 32

# A note with 64 post-quantum signatures of nearly 5 kB each still fits (signed-note: at least 16).
MAX_NOTE_BYTES: Final = 512 * 1024
MAX_NOTE_SIGNATURES: Final = 64

# Sizes and indices travel as signed 64-bit numbers in most tools of this world.
MAX_TREE_SIZE: Final = 2**63 - 1
# tlog-witness, add-checkpoint: not more than 63 lines; a path in a tree of 2^63 leaves has 63 too.
MAX_PROOF_HASHES: Final = 63
MAX_TIMESTAMP: Final = 2**63 - 1  # tlog-cosignature, Format

# Entries are short records that carry digests; the bundle's u16 prefix would allow 65,535.
MAX_ENTRY_BYTES: Final = 8 * 1024
# The genesis pins the keys of up to 16 nodes, of which those of ML-DSA-44 take 1.8 kB each.
MAX_GENESIS_BYTES: Final = 40 * 1024
# A checkpoint entry names the latest checkpoint of each, closed epochs among them.
MAX_SIDE_CHAINS: Final = 64
# Bounds the memory of one submission (8 MiB of entries at most) and the pause of one commit.
MAX_BATCH_ENTRIES: Final = 1025  # 1,024 entries and their seal
MAX_COMMIT_ENTRIES: Final = 16 * 1024
MAX_COMMIT_BYTES: Final = 16 * 1024 * 1024
# Backpressure: about two seconds of work at full speed.
MAX_PENDING_ENTRIES: Final = 128 * 1024

# The Cedar text of one contract; with its frame and approvals it still fits an entry.
MAX_POLICY_TEXT: Final = 6 * 1024

MAX_POLICY_BYTES: Final = 256 * 1024
MAX_POLICY_NAMES: Final = 1024  # tlog-policy asks for at least 32 logs, witnesses and groups
MAX_TLOG_PROOF_BYTES: Final = MAX_NOTE_BYTES + 64 * 1024

# Clocks of department nodes may differ a little; a cosignature from further ahead does not count.
MAX_CLOCK_SKEW_S: Final = 300
