"""Side chains for tests: their keys, and the entries that register them."""

from __future__ import annotations

from typing import Any

from credentials.keys import PrivateKey
from registry.ledger.entries import Entry, make_entry
from registry.ledger.members import Purpose
from registry.sequencing.chain import log_signer
from registry.simulation.simulator import Consortium


def key_for(name: str) -> PrivateKey:
    return PrivateKey.from_seed("Ed25519", f"the log of a side chain {name}".encode())


def side_chain(chain: Consortium, name: str, **changes: Any) -> Entry:
    """The entry that registers `name`; the sequencer gets its key."""
    key = key_for(name)
    chain.sequencer.chains._keys._later[f"{chain.genesis.network}/{name}"] = key
    return side_entry(chain, name, key, **changes)


def side_entry(chain: Consortium, name: str, key: PrivateKey, **changes: Any) -> Entry:
    origin = f"{chain.genesis.network}/{name}"
    body = {
        "origin": origin,
        "logKey": log_signer(origin, key).key.encode(),
        "purpose": Purpose.ANCHORS,
        "scenario": "resident-identity",
        "batch": {"interval": 200, "size": 4096},
        "maxAnchorDelay": 60,
        "epoch": 1,
        "previous": None,
    }
    return make_entry("chain", **{**body, **changes})
