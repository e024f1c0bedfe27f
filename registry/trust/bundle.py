"""The trust bundle: what a desk or wallet needs to verify with no network.

A bundle is authentic by its contents: everything in it leads to one main checkpoint that a
quorum of the pinned genesis's nodes cosigned. It may come from anywhere.

Guaranteed against whoever made or carried the bundle:
- nothing in it is forged: every statement is a leaf of the cosigned main chain, or hangs on one;
- **nothing that counts is left out**: each side chain's checkpoint entry states how many
  governance entries precede it and where the other side chains' latest checkpoints stand, and
  all entries after the newest one must be present. So a withdrawn accreditation cannot be hidden
  by leaving out its entry;
- the status lists are the newest as of their side chain's checkpoint: that entry carries a
  digest over all of them.

What a malicious maker can do: hand out an old bundle whole (its `time` and `age` show it), or
leave out the *document* of a status list (`status_list` then answers None: unknown, never "not
revoked"). Nodes refuse checkpoint entries that misstate any of this, so lying takes a quorum.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from credentials.dids import Resolver
from registry.contracts import Contract, ContractBook, Request
from registry.contracts.questions import claims_request, issue_request
from registry.errors import AnchorInvalid, AnchorUnknown, BundleCorrupt
from registry.ledger.genesis import Genesis
from registry.ledger.records import Accreditation, Entitlement, SideChain
from registry.trust.anchors import AnchorFound, LongProof
from registry.trust.container import MAX_BUNDLE_BYTES
from registry.trust.load import BundleParts, StatusListSnapshot, load_bundle


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise BundleCorrupt(part=path.name, reason="it cannot be read") from error


class TrustBundle:
    """A verified bundle. `load` is the only way to one."""

    def __init__(self, raw: bytes, genesis: Genesis, parts: BundleParts) -> None:
        """For `load` only: `parts` must be those of `raw`."""
        self.raw = raw
        self.genesis = genesis
        self.main_checkpoint = parts.checkpoint
        self.time = parts.time
        self._governance = parts.governance
        self.rules = parts.rules
        self.sides = parts.sides
        self._status_lists = parts.status_lists

    @classmethod
    def load(
        cls, source: Path | bytes, genesis: Genesis, *, now: datetime | None = None
    ) -> TrustBundle:
        """Read and verify a bundle against the pinned genesis.

        `now` keeps cosignatures from the future from counting. Raises BundleCorrupt,
        BundleForged, QuorumMissing.
        """
        data = _read(source) if isinstance(source, Path) else source
        return cls(data, genesis, load_bundle(data, genesis, now=now))

    def age(self, now: datetime) -> timedelta:
        """How long ago a quorum of nodes last held this picture for the latest."""
        return now - self.time

    @property
    def resolver(self) -> Resolver:
        """Keys of did:key, and of accredited issuers and verifiers."""
        return self._governance.resolver

    @property
    def chains(self) -> Mapping[str, SideChain]:
        """The registered side chains by origin."""
        return self._governance.chains

    def issuer(self, did: str) -> Accreditation | None:
        """The issuer's accreditation, whatever its period; see `Accreditation.covers`."""
        return self._governance.issuers.get(did)

    def verifier(self, did: str) -> Accreditation | None:
        """The verifier's accreditation, whatever its period."""
        return self._governance.verifiers.get(did)

    def entitlement(self, identifier: str) -> Entitlement | None:
        """The entitlement of this id, whatever its period."""
        return self._governance.entitlements.get(identifier)

    def entitlements(self, verifier: str) -> list[Entitlement]:
        """All entitlements of a verifier, in the order of the chain."""
        return [e for e in self._governance.entitlements.values() if e.verifier == verifier]

    def issuers(self) -> Iterator[Accreditation]:
        """All issuers that were ever accredited."""
        yield from self._governance.issuers.values()

    def verifiers(self) -> Iterator[Accreditation]:
        """All verifiers that were ever accredited."""
        yield from self._governance.verifiers.values()

    def digest_of(self, url: str) -> str | None:
        """The recorded digest of a schema or context (multibase), if there is one."""
        resource = self._governance.resources.get(url)
        return resource.digest if resource else None

    def origin_for(self, side_chain: str) -> str | None:
        """The open chain of a side chain's short name ("identity"), if one is registered.

        Where it was closed, that is its newest epoch.
        """
        chain = self._governance.newest_epoch(f"{self.genesis.network}/{side_chain}")
        return chain.origin if chain else None

    def epochs(self, origin: str) -> tuple[str, ...]:
        """The origins of all epochs of the line that `origin` is in, the newest first."""
        return tuple(chain.origin for chain in self._governance.epochs(origin))

    def includes(self, issuer: Accreditation, origin: str) -> bool:
        """Whether an accreditation covers the chain, or an earlier epoch of it."""
        return self._governance.includes(issuer, origin)

    def status_list(self, url: str) -> StatusListSnapshot | None:
        """The newest status list credential of this URL, if the bundle has it."""
        return self._status_lists.get(url)

    def status_lists(self) -> list[StatusListSnapshot]:
        """All status lists in the bundle."""
        return list(self._status_lists.values())

    def size_of(self, origin: str) -> int:
        """How many entries of a side chain the bundle covers."""
        side = self.sides.get(origin)
        return side.size if side else 0

    def anchor(self, origin: str, leaf_hash: bytes, compact_proof: bytes) -> AnchorFound:
        """Check a compact proof that `leaf_hash` is on the side chain, or another epoch of it.

        Raises AnchorInvalid (the proof is wrong) and AnchorUnknown (the bundle cannot tell).
        """
        failure: AnchorInvalid | AnchorUnknown | None = None
        for epoch in sorted(self.epochs(origin) or (origin,), key=lambda one: one != origin):
            side = self.sides.get(epoch)
            if side is None:
                continue
            try:
                return AnchorFound(epoch, side.check(leaf_hash, compact_proof), self.time)
            except AnchorInvalid as error:
                failure = failure or error
            except AnchorUnknown as error:
                failure = error
        raise failure or AnchorUnknown(reason="the bundle covers nothing of this chain")

    # Contracts

    @property
    def contracts(self) -> ContractBook:
        """All contracts of the chain, every version of each."""
        return self._governance.contracts

    def contracts_in_force(self) -> Mapping[str, Contract]:
        """The contracts by which the next submission to the main chain is judged."""
        return self._governance.contracts.in_force(self.main_checkpoint.size)

    def allows_issue(self, issuer: Accreditation, credential_type: str, moment: datetime) -> bool:
        """Whether the contracts let a credential of this type count, valid from `moment` on."""
        return self._allows(issue_request(self._governance, issuer, credential_type, moment))

    def allows_claims(
        self, entitlement: Entitlement, claims: tuple[str, ...], moment: datetime
    ) -> bool:
        """Whether the contracts let an entitlement's verifier ask for these claims now."""
        verifier = self.verifier(entitlement.verifier)
        return verifier is not None and self._allows(
            claims_request(self._governance, verifier, entitlement, claims, moment)
        )

    def _allows(self, request: Request) -> bool:
        engine = self._governance.contracts.engine(self.main_checkpoint.size)
        key = json.dumps(request.to_json(), sort_keys=True)
        return engine.decide(key, lambda: request).allowed

    def check_long_proof(
        self, origin: str, leaf_hash: bytes, proof: bytes, *, now: datetime | None = None
    ) -> AnchorFound:
        """Check a long proof, which may lead to a newer checkpoint than the bundle's.

        Raises AnchorInvalid, QuorumMissing.
        """
        moment = None if now is None else int(now.timestamp())
        return LongProof.parse(proof).verify(self.genesis, origin, leaf_hash, now=moment)
