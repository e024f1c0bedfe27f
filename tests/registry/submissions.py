"""What tests bring to a network in memory: fresh anchors, harmless rules, and their seals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from registry.client import Receipt
from registry.ledger.entries import Entry, anchor_entry, make_entry
from registry.ledger.members import document_digest
from registry.ledger.submission import seal
from registry.simulation.simulator import Consortium, Party


def anchors(party: Party, count: int = 1) -> list[Entry]:
    """Anchors of `party` that no chain has."""
    return [anchor_entry(party.did, os.urandom(32)) for _ in range(count)]


def resource(name: str = "schema") -> Entry:
    """A rule that no other entry is judged by."""
    return make_entry(
        "resource", role="schema", url=f"https://{name}.example", digest=document_digest({})
    )


def submit(
    chain: Consortium, party: Party, entries: Sequence[Entry], origin: str | None = None
) -> Receipt:
    """Submit as a client does; to the identity chain unless `origin` names another."""
    return chain.client.submit(
        origin or chain.genesis.identity_origin, entries, party.key, party.key_url
    )


def anchor(chain: Consortium, party: Party, count: int = 1) -> Receipt:
    """Submit fresh anchors."""
    return submit(chain, party, anchors(party, count))


def sealed(
    chain: Consortium, party: Party, entries: Sequence[Entry], *, at: datetime | None = None
) -> bytes:
    """A submission to the identity chain as bytes, sealed `at` a time or now."""
    return seal(
        chain.genesis.identity_origin,
        entries,
        submitter=party.did,
        key_url=party.key_url,
        signer=party.key,
        now=at or chain.now,
    ).encode()
