"""Founding a network: its genesis, its side chains, and the digests of schemas and contexts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from credentials.contexts import ContextStore, bundled_contexts
from credentials.dids import did_key
from credentials.keys import PrivateKey
from registry.contracts import LIBRARY, library_text
from registry.ledger.entries import Entry, make_entry
from registry.ledger.genesis import Genesis, GenesisNode
from registry.ledger.members import Purpose
from registry.sequencing.chain import ML_DSA_SUFFIX, SequencerKeys, create_chains, log_keys
from registry.storage.places import Places
from schemas.digests import digest_multibase
from schemas.scenario import Scenario, all_scenarios

IDENTITY: Final = "identity"
ACCESS: Final = "access"
SIDE_CHAINS: Final[Mapping[str, tuple[Purpose, str]]] = {
    IDENTITY: (Purpose.ANCHORS, "resident-identity"),
    ACCESS: (Purpose.ACCESS, "access-records"),
}
"""Short name, purpose and scenario of the side chains that every network starts with."""

BATCH_INTERVAL_MS: Final = 200
BATCH_SIZE: Final = 4096
MAX_ANCHOR_DELAY_S: Final = 60
"""What a side chain has unless its operator asks for something else: every tick of the sequencer,
and an alarm when an entry has waited for a minute."""


@dataclass(frozen=True)
class FoundingKeys:
    """The keys of a new network: the operator's, and those of each log by its short name.

    A log's second key stands behind that name and `registry.sequencing.chain.ML_DSA_SUFFIX`.
    """

    operator: PrivateKey
    logs: Mapping[str, PrivateKey]

    @classmethod
    def generate(cls) -> FoundingKeys:
        """Fresh keys: P-256 for the operator's seals, Ed25519 and ML-DSA-44 for logs.

        tlog-tiles demands the first of a log's keys, tlog-checkpoint recommends the second.
        """
        names = ("main", *SIDE_CHAINS)
        logs = {name: PrivateKey.generate("Ed25519") for name in names}
        logs |= {name + ML_DSA_SUFFIX: PrivateKey.generate("ML-DSA-44") for name in names}
        return cls(PrivateKey.generate("P-256"), logs)

    def sequencer(
        self, network: str, reload: Callable[[], Mapping[str, PrivateKey]] | None = None
    ) -> SequencerKeys:
        """The same keys by origin; `reload` gives those by short name that were made since."""

        def by_origin(keys: Mapping[str, PrivateKey]) -> dict[str, PrivateKey]:
            return {f"{network}/{name}": key for name, key in keys.items()}

        return SequencerKeys(
            self.operator,
            by_origin(self.logs),
            None if reload is None else lambda: by_origin(reload()),
        )


def contract_entries(texts: Mapping[str, str], activates: int) -> list[Entry]:
    """First versions of contracts, by name."""
    return [
        make_entry(
            "contract",
            name=name,
            version=1,
            policy=text,
            activates=activates,
            replaces=None,
            approvals=[],
        )
        for name, text in texts.items()
    ]


def default_contracts() -> dict[str, str]:
    """The texts of the default library, by name."""
    return {name: library_text(name) for name in LIBRARY}


def resource_entries(scenarios: Iterable[Scenario], contexts: ContextStore) -> list[Entry]:
    """The digests of all schemas and of all contexts that credentials may name."""
    digests = {url: digest_multibase(contexts.record(url).data) for url in sorted(contexts)}
    found = []
    for scenario in scenarios:
        digests[scenario.context_url] = scenario.context_digest
        found.append(
            make_entry(
                "resource",
                role="schema",
                url=scenario.schema_url,
                digest=scenario.schema_digest,
            )
        )
    found += [
        make_entry("resource", role="context", url=url, digest=digest)
        for url, digest in sorted(digests.items())
    ]
    return found


def found_network(
    home: Path,
    network: str,
    nodes: Iterable[GenesisNode],
    keys: FoundingKeys,
    *,
    quorum: int,
    now: datetime,
    before: Callable[[], object] | None = None,
    places: Places | None = None,
    contracts: Mapping[str, str] | None = None,
) -> Genesis:
    """Create the stores of a new network in `home` (or where `places` says), with first entries.

    `contracts` are policy texts by name, in force from the second submission on; without them
    the default library is. A network that is founded with none takes in nothing ever after.

    `before` runs once the genesis is known to be valid and before anything is written: keys must
    be safe before what they sign. Raises GenesisInvalid, RegistryExists.
    """
    sequencer = keys.sequencer(network)
    main = sequencer.signer(f"{network}/main")
    genesis = Genesis.create(
        network=network,
        operator=did_key(keys.operator.public_key),
        log_key=main.key.encode(),
        log_ml_dsa_key=log_keys(main).get("mlDsaKey"),
        nodes=tuple(nodes),
        quorum=quorum,
        created=now,
    )
    chains = [
        make_entry(
            "chain",
            origin=f"{network}/{name}",
            **log_keys(sequencer.signer(f"{network}/{name}")),
            purpose=purpose,
            scenario=scenario,
            batch={"interval": BATCH_INTERVAL_MS, "size": BATCH_SIZE},
            maxAnchorDelay=MAX_ANCHOR_DELAY_S,
            epoch=1,
            previous=None,
        )
        for name, (purpose, scenario) in SIDE_CHAINS.items()
    ]
    if before is not None:
        before()
    texts = default_contracts() if contracts is None else contracts
    rest = [*chains, *resource_entries(all_scenarios(), bundled_contexts())]
    # Behind the founding submission: the genesis, the contracts, the rest, and their seal.
    entries = [*contract_entries(texts, 1 + len(texts) + len(rest) + 1), *rest]
    create_chains(home, genesis, sequencer, entries, now=now, places=places)
    return genesis
