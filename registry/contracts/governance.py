"""The state that the main chain's entries lead to: who is accredited, which chains there are.

Everybody replays the same entries in the same order and comes to the same state: sequencer,
nodes, desks and wallets. Later entries for one DID, entitlement or resource replace earlier ones,
so an accreditation ends by being recorded again with `to`. What was allowed before stays
allowed: a period is judged at the time of the thing judged.

Guaranteed: an entry that cannot follow changes nothing. It relies on the caller for the order of
entries; who may write them is judged in `registry.contracts.permission`.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from credentials.dids import (
    DidDocument,
    KeyResolver,
    Resolver,
    VerificationMethod,
    split_key_url,
)
from credentials.errors import DidUnknown
from registry.contracts import ContractBook
from registry.errors import ChainInvalid
from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis
from registry.ledger.kinds import GOVERNANCE_KINDS, heads_fit
from registry.ledger.members import Purpose, decode_time, document_digest
from registry.ledger.records import (
    Accreditation,
    Entitlement,
    Resource,
    SideChain,
    accreditation,
    entitlement,
)
from registry.tlog.note import VerifierKey
from schemas.errors import Phrase


class Governance:
    """The state after some entries of the main chain. Feed it by `apply`, in order."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis: Final = genesis
        self.chains: MutableMapping[str, SideChain] = {}
        self.issuers: MutableMapping[str, Accreditation] = {}
        self.verifiers: MutableMapping[str, Accreditation] = {}
        self.entitlements: MutableMapping[str, Entitlement] = {}
        self.resources: MutableMapping[str, Resource] = {}
        self.contracts = ContractBook()
        self._keys: MutableMapping[bytes, str] = {}  # public log key -> origin
        self._lists: MutableMapping[str, str] = {}  # prefix of status lists -> issuer
        self._documents: MutableMapping[str, DidDocument] = {}
        self.count = 0
        self.last: int | None = None

    @classmethod
    def replay(cls, genesis: Genesis, entries: Iterable[tuple[int, Entry]]) -> Governance:
        """The state after `entries` (index, entry), which start with the genesis."""
        state = cls(genesis)
        for index, entry in entries:
            state.apply(index, entry)
        return state

    def fork(self) -> Governance:
        """A copy that changes without changing this one, and costs nothing to make."""
        other = Governance(self.genesis)
        for name in (
            "chains",
            "issuers",
            "verifiers",
            "entitlements",
            "resources",
            "_keys",
            "_lists",
        ):
            setattr(other, name, ChainMap({}, getattr(self, name)))
        other.contracts = self.contracts.fork()
        other.count, other.last = self.count, self.last
        return other

    def check(self, base: int, entries: Iterable[Entry]) -> None:
        """Whether `entries` may follow from index `base` on; raises ChainInvalid."""
        trial = self.fork()
        for index, entry in enumerate(entries, base):
            trial.apply(index, entry)

    @property
    def head(self) -> dict[str, int | None]:
        """How many governance entries there are and where the last one stands.

        Side-chain checkpoints on the main chain carry it. So whoever shows one of them must show
        all governance entries before it, or be caught.
        """
        return {"count": self.count, "last": self.last}

    def apply(self, index: int, entry: Entry) -> None:
        """Take in the entry at `index` of the main chain; raises ChainInvalid if it cannot follow.

        Entries of other kinds change nothing.
        """
        if entry.kind not in GOVERNANCE_KINDS:
            return
        wrong = self._conflict(index, entry)
        if wrong:
            raise ChainInvalid(origin=self.genesis.origin, index=index, reason=wrong)
        body = entry.body
        match entry.kind:
            case "chain":
                self._register(index, body)
            case "issuer":
                self._accredit(index, body)
            case "verifier":
                self.verifiers[body["did"]] = accreditation(index, body)
                self._documents.pop(body["did"], None)
            case "entitlement":
                self.entitlements[body["id"]] = entitlement(index, body)
            case "resource":
                self.resources[body["url"]] = Resource(
                    index, body["role"], body["url"], body["digest"]
                )
            case "contract":
                self.contracts.apply(index, entry)
        self.count += 1
        self.last = index

    def _register(self, index: int, body: Mapping[str, Any]) -> None:
        previous = body["previous"]
        key = VerifierKey.parse(body["logKey"])
        chain = SideChain(
            index,
            body["origin"],
            key,
            Purpose(body["purpose"]),
            body["scenario"],
            body["batch"]["interval"],
            body["batch"]["size"],
            body["maxAnchorDelay"],
            body["epoch"],
            previous,
            body["origin"] if previous is None else self.chains[previous].line,
            ml_dsa_key=VerifierKey.parse(body["mlDsaKey"]) if "mlDsaKey" in body else None,
        )
        self.chains[chain.origin] = chain
        for own in chain.log_keys:
            self._keys[own.public] = chain.origin
        if previous is not None:
            self.chains[previous] = replace(self.chains[previous], successor=chain.origin)

    def _accredit(self, index: int, body: Mapping[str, Any]) -> None:
        before = self.issuers.get(body["did"])
        for prefix in before.status_lists if before else ():
            self._lists[prefix] = ""  # a fork cannot take out what its original holds
        issuer = accreditation(index, body)
        self.issuers[issuer.did] = issuer
        self._documents.pop(issuer.did, None)
        for prefix in issuer.status_lists:
            self._lists[prefix] = issuer.did

    def in_force(self, index: int, entry: Entry) -> bool:
        """Whether the entry at `index` still counts, and was not replaced by a later one."""
        held: Accreditation | Entitlement | Resource | None = None
        match entry.kind:
            case "issuer":
                held = self.issuers.get(entry["did"])
            case "verifier":
                held = self.verifiers.get(entry["did"])
            case "entitlement":
                held = self.entitlements.get(entry["id"])
            case "resource":
                held = self.resources.get(entry["url"])
            case "contract":
                newest = self.contracts.newest(entry["name"])
                return newest is None or newest.index == index
        return held is None or held.index == index

    def _conflict(self, index: int, entry: Entry) -> str | None:
        body = entry.body
        if (index == 0) != (entry.kind == "genesis"):
            return "the genesis is entry 0, and only that"
        match entry.kind:
            case "genesis" if entry.raw != self.genesis.entry.raw:
                return "another genesis than the pinned one"
            case "chain":
                return self._chain_conflict(body)
            case "issuer":
                if body["did"] in self.verifiers or body["did"] == self.genesis.operator:
                    return "the DID has another role"
                unknown = sorted(one for one in body["chains"] if one not in self.chains)
                if unknown:
                    return Phrase("{origin} is not registered", origin=unknown[0])
                for prefix in body.get("statusLists", ()):
                    if self._lists.get(prefix) not in (None, "", body["did"]):
                        return Phrase("{prefix} belongs to another issuer", prefix=prefix)
            case "verifier":
                if body["did"] in self.issuers or body["did"] == self.genesis.operator:
                    return "the DID has another role"
            case "entitlement":
                known = self.entitlements.get(body["id"])
                if body["verifier"] not in self.verifiers:
                    return "its verifier is not accredited"
                if known is not None and known.verifier != body["verifier"]:
                    return "the entitlement belongs to another verifier"
            case "contract":
                return self.contracts.conflict(self.genesis, index, entry)
        return None

    def _chain_conflict(self, body: Mapping[str, Any]) -> str | None:
        keys = [body[member] for member in ("logKey", "mlDsaKey") if member in body]
        public = {VerifierKey.parse(key).public for key in keys}
        if body["origin"] in self.chains or body["origin"] == self.genesis.origin:
            return "the chain is registered already"
        if not body["origin"].startswith(self.genesis.network + "/"):
            return "the chain lies outside the network"
        if any(key in self._keys or key in self._genesis_keys for key in public):
            return "the chain's key serves another one"
        # Else a checkpoint that must name all of them could not be written, and nothing could be
        # recorded on any chain ever after.
        if not heads_fit([*self.chains, body["origin"]]):
            return "there is no room for another chain: a checkpoint could not name all of them"
        if body["previous"] is None:
            return None
        before = self.chains.get(body["previous"])
        if before is None:
            return "the chain that it follows is not registered"
        if before.closed:
            return Phrase(
                "{origin} is followed by {successor} already",
                origin=before.origin,
                successor=before.successor,
            )
        if (before.purpose, before.scenario) != (body["purpose"], body["scenario"]):
            return "it has another purpose or scenario than the chain that it follows"
        if body["epoch"] != before.epoch + 1:
            return Phrase("its epoch must be {epoch}", epoch=before.epoch + 1)
        return None

    @cached_property
    def _genesis_keys(self) -> frozenset[bytes]:
        parties = [self.genesis.log_keys, *(node.keys for node in self.genesis.nodes)]
        return frozenset(key.public for keys in parties for key in keys)

    @cached_property
    def resolver(self) -> Resolver:
        """Keys of did:key, and of issuers and verifiers from their accredited DID documents."""
        return _Resolver(KeyResolver(), _Holders(self._document))

    def _document(self, did: str) -> DidDocument | None:
        known = self._documents.get(did)
        if known is None:
            holder = self.issuers.get(did) or self.verifiers.get(did)
            if holder is None:
                return None
            known = self._documents[did] = DidDocument.parse(holder.document)
        return known

    def newest_epoch(self, origin: str) -> SideChain | None:
        """The open chain at the end of the line that `origin` is in, if there is one."""
        chain = self.chains.get(origin)
        while chain is not None and chain.successor is not None:
            chain = self.chains[chain.successor]
        return chain

    def epochs(self, origin: str) -> list[SideChain]:
        """The chains of the line that `origin` is in, the newest first."""
        found = []
        chain = self.newest_epoch(origin)
        while chain is not None:
            found.append(chain)
            chain = self.chains[chain.previous] if chain.previous is not None else None
        return found

    def includes(self, issuer: Accreditation, origin: str) -> bool:
        """Whether an accreditation covers the chain, or an earlier epoch of it."""
        if origin in issuer.chains:
            return True
        chain = self.chains.get(origin)
        while chain is not None and chain.previous is not None:
            if chain.previous in issuer.chains:
                return True
            chain = self.chains[chain.previous]
        return False

    def purpose_of(self, origin: str) -> Purpose | None:
        """What the chain `origin` is for; None if there is none."""
        if origin == self.genesis.origin:
            return Purpose.MAIN
        chain = self.chains.get(origin)
        return chain.purpose if chain else None

    def reserved_by(self, url: str) -> Iterator[str]:
        """The issuers that have the addresses of status lists under a beginning of `url`."""
        end = len(url)
        while self._lists and (end := url.rfind("/", 0, end)) > 0:
            if owner := self._lists.get(url[: end + 1]):
                yield owner


class _Resolver:
    """Asks whom a DID's method names: did:key tells its key itself, the others are on the chain."""

    def __init__(self, keys: Resolver, holders: Resolver) -> None:
        self._keys = keys
        self._holders = holders

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        resolver = self._keys if url.startswith("did:key:") else self._holders
        return resolver.resolve(url, relationship)


class _Holders:
    """Resolves the DIDs of accredited issuers and verifiers; documents are parsed when asked."""

    def __init__(self, document: Callable[[str], DidDocument | None]) -> None:
        self.document: Final = document

    def resolve(self, url: str, relationship: str) -> VerificationMethod:
        did, _ = split_key_url(url)
        document = self.document(did)
        if document is None:
            raise DidUnknown(did=did)
        return document.method(url, relationship)


def newest_lists(
    chains: Iterable[tuple[SideChain, Mapping[str, tuple[int, Entry]]]],
) -> dict[str, Entry]:
    """The newest status entry of each list over several chains: the last epoch's that has one."""
    found: dict[str, tuple[tuple[datetime, int], Entry]] = {}
    for chain, lists in chains:
        for url, (_, entry) in lists.items():
            rank = (decode_time(entry["time"]), chain.epoch)
            if url not in found or rank > found[url][0]:
                found[url] = rank, entry
    return {url: entry for url, (_, entry) in found.items()}


def lists_digest(lists: Mapping[str, tuple[int, Entry]]) -> str:
    """The digest by which a checkpoint entry names the newest status entry of each list.

    So whoever shows that checkpoint cannot pass an older status list for the newest.
    """
    return document_digest(
        {
            "lists": [
                {"list": url, "index": index, "digest": entry["digest"]}
                for url, (index, entry) in sorted(lists.items())
            ]
        }
    )
