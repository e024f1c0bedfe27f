"""The genesis: the few facts that everyone pins, and from which all else on the chain is proved.

It is entry 0 of the main chain and travels as `genesis.json`. Whoever pins the right genesis can
check everything afterwards without trusting where it came from; whoever pins a wrong one checks
a different network. It must therefore reach people by a way they trust; nothing here can help.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from registry.errors import EntryMalformed, GenesisInvalid
from registry.ledger.entries import Entry, make_entry, parse_entry
from registry.ledger.members import decode_time, encode_time
from registry.limits import MAX_GENESIS_BYTES
from registry.tlog.note import VerifierKey
from registry.tlog.policy import Policy
from schemas.errors import Phrase

GENESIS_FILE: Final = "genesis.json"


@dataclass(frozen=True)
class GenesisNode:
    """One node: its short name, its title for people, and the keys that cosign.

    `ml_dsa_key` is a second vkey of the same party, of ML-DSA-44 (tlog-cosignature recommends it).
    `approver` (did:key, Ed25519) is the key by which it approves changes of the rules, if it may.
    """

    name: str
    title: Mapping[str, str]
    vkey: str
    approver: str | None = None
    ml_dsa_key: str | None = None

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The keys that cosign: they count as one."""
        return _keys(self.vkey, self.ml_dsa_key)

    @property
    def body(self) -> dict[str, Any]:
        """The node as the genesis entry has it."""
        further = {"approver": self.approver, "mlDsaKey": self.ml_dsa_key}
        return {
            "name": self.name,
            "title": dict(self.title),
            "vkey": self.vkey,
            **{member: value for member, value in further.items() if value is not None},
        }


def _keys(first: str, second: str | None) -> tuple[VerifierKey, ...]:
    return tuple(VerifierKey.parse(key) for key in (first, second) if key is not None)


@dataclass(frozen=True)
class Genesis:
    """The pinned parameters of a network."""

    network: str
    origin: str
    operator: str
    log_key: str
    nodes: tuple[GenesisNode, ...]
    quorum: int
    created: datetime
    entry: Entry
    log_ml_dsa_key: str | None = None

    @classmethod
    def create(
        cls,
        *,
        network: str,
        operator: str,
        log_key: str,
        nodes: tuple[GenesisNode, ...],
        quorum: int,
        created: datetime,
        log_ml_dsa_key: str | None = None,
    ) -> Genesis:
        """A new network. GenesisInvalid when the quorum does not protect it, or keys repeat."""
        try:
            entry = make_entry(
                "genesis",
                network=network,
                origin=f"{network}/main",
                operator=operator,
                logKey=log_key,
                nodes=[node.body for node in nodes],
                quorum=quorum,
                created=encode_time(created),
                **({} if log_ml_dsa_key is None else {"mlDsaKey": log_ml_dsa_key}),
            )
        except EntryMalformed as error:
            raise GenesisInvalid(reason=str(error.params["reason"])) from error
        return cls.from_entry(entry)

    @classmethod
    def from_entry(cls, entry: Entry) -> Genesis:
        """The genesis that `entry` records."""
        if entry.kind != "genesis":
            raise GenesisInvalid(reason=Phrase("the entry is of kind {kind}", kind=entry.kind))
        body = entry.body
        return cls(
            network=body["network"],
            origin=body["origin"],
            operator=body["operator"],
            log_key=body["logKey"],
            nodes=tuple(
                GenesisNode(
                    node["name"],
                    node["title"],
                    node["vkey"],
                    node.get("approver"),
                    node.get("mlDsaKey"),
                )
                for node in body["nodes"]
            ),
            quorum=body["quorum"],
            created=decode_time(body["created"]),
            entry=entry,
            log_ml_dsa_key=body.get("mlDsaKey"),
        )

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        """The keys by which the main chain's log signs; either one will do."""
        return _keys(self.log_key, self.log_ml_dsa_key)

    @property
    def identity_origin(self) -> str:
        """The side chain for anchors of resident identities."""
        return f"{self.network}/identity"

    @property
    def access_origin(self) -> str:
        """The side chain for commitments of access records."""
        return f"{self.network}/access"

    @cached_property
    def policy(self) -> Policy:
        """What a main checkpoint must bear: the log's signature and the quorum's cosignatures.

        A node that signs by two keys counts once, and by either. While Ed25519 stands, so does
        this policy; `post_quantum_policy` is for readers who want to rely on it no longer.
        """
        return Policy.k_of_n(
            self.quorum, {node.name: node.keys for node in self.nodes}, self.log_keys
        )

    @cached_property
    def post_quantum_policy(self) -> Policy:
        """The same, by ML-DSA-44 alone. GenesisInvalid when not all of the parties have such keys.

        The pinned genesis is what makes it hold: its keys need no signature to be believed.
        """
        if self.log_ml_dsa_key is None or any(node.ml_dsa_key is None for node in self.nodes):
            raise GenesisInvalid(reason="not every party has a key of ML-DSA-44")
        return Policy.k_of_n(
            self.quorum, {node.name: node.keys[1] for node in self.nodes}, self.log_keys[1:]
        )

    @classmethod
    def parse(cls, raw: bytes) -> Genesis:
        """The genesis in `raw` (one trailing newline is forgiven: editors add it)."""
        try:
            return cls.from_entry(parse_entry(raw.removesuffix(b"\n")))
        except EntryMalformed as error:
            raise GenesisInvalid(reason=str(error.params.get("reason", error))) from error

    @classmethod
    def load(cls, path: Path) -> Genesis:
        """The genesis pinned in a file."""
        try:
            with path.open("rb") as stream:
                raw = stream.read(MAX_GENESIS_BYTES + 2)
        except OSError as error:
            raise GenesisInvalid(
                reason=Phrase(
                    "{name} cannot be read ({reason})",
                    name=path.name,
                    reason=os.strerror(error.errno or 0),
                )
            ) from error
        return cls.parse(raw)

    def save(self, path: Path) -> None:
        """Write the file to hand out, durably and only once."""
        with path.open("xb") as stream:
            stream.write(self.entry.raw + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
