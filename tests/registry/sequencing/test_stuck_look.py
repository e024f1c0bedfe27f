"""A stand-by that cannot look, since tiles are lost, takes the duty all the same."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.dids import did_document, key_url
from credentials.keys import PrivateKey
from registry.client import RegistryClient
from registry.ledger.entries import Entry, anchor_entry, make_entry
from registry.ledger.genesis import Genesis, GenesisNode
from registry.ledger.members import encode_time
from registry.sequencing.duty import Duty
from registry.sequencing.founding import found_network
from registry.simulation.simulator import NODES, AsgiTransport, founding_keys, node_signer
from registry.storage import size_of_note
from registry.storage.places import Place, Places
from registry.storage.tilefiles import TileFiles
from registry.tlog.tiles import Tile
from tests.waiting import until

NETWORK = "hangzhou.zhenglian.example"
KEYS = founding_keys()
ISSUER = "did:web:issuer.example"
ISSUER_KEY = PrivateKey.from_seed("P-256", b"who anchors while others stand by")


def now() -> datetime:
    return datetime.now(UTC)


class Sharing:
    """Sequencers of one network in this process, on one database and one folder of tiles."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.tiles = folder / "tiles"
        self.place = Place(database, f"file://{self.tiles}")
        self.transport = AsgiTransport()
        nodes = [
            GenesisNode(name, {"zh-CN": name, "en": name}, node_signer(NETWORK, name).key.encode())
            for name in NODES
        ]
        with closing(self.places("founder")) as places:
            self.genesis: Genesis = found_network(
                folder / "founder", NETWORK, nodes, KEYS, quorum=3, now=now(), places=places
            )
        self.client = RegistryClient(
            ["http://one.invalid", "http://two.invalid"], self.genesis, transport=self.transport
        )

    def places(self, name: str) -> Places:
        return Places(self.folder / name, NETWORK, {"default": self.place})

    def prepare(self, name: str) -> Duty:
        """A process that has not begun to ask for the duty."""
        home = self.folder / name
        home.mkdir()
        keys = KEYS.sequencer(NETWORK)
        duty = Duty(home, self.genesis, keys, self.places(name), links=dict, now=now, interval=0.02)
        duty.prepare()
        self.transport.apps[f"{name}.invalid"] = duty
        return duty

    def start(self, name: str, duty: Duty) -> None:
        duty.start(f"http://{name}.invalid")

    def govern(self, entry: Entry) -> None:
        operator = KEYS.operator
        self.client.submit(self.genesis.origin, [entry], operator, key_url(operator.public_key))

    def anchor(self) -> int:
        """The index of a fresh anchor."""
        entry = anchor_entry(ISSUER, os.urandom(32))
        origin = self.genesis.identity_origin
        return self.client.submit(origin, [entry], ISSUER_KEY, f"{ISSUER}#key-1").indices[0]

    def edge(self, chain: str, size: int) -> Path:
        """The file of the first tile of a chain that has come to `size` entries."""
        until(lambda: size_of_note(TileFiles(self.tiles / chain).read_checkpoint() or b"") == size)
        return self.tiles / chain / Tile(0, 0, size).path

    def close(self) -> None:
        self.client.close()
        self.transport.stop()


def accreditation(genesis: Genesis) -> Entry:
    return make_entry(
        "issuer",
        did=ISSUER,
        name={"zh-CN": "测试", "en": "Test"},
        document=did_document(ISSUER, {"key-1": ISSUER_KEY.public_key}),
        types=["ResidentIdentityCredential"],
        chains=[genesis.identity_origin],
        **{"from": encode_time(now() - timedelta(days=1)), "to": None},
    )


@pytest.fixture
def sharing(tmp_path: Path, postgres: Any) -> Iterator[Sharing]:
    with closing(Sharing(tmp_path, postgres.database())) as made:
        yield made


def test_it_takes_the_duty_though_it_cannot_look(
    sharing: Sharing, caplog: pytest.LogCaptureFixture
) -> None:
    """Who takes it writes the tiles anew. Waiting until they are there, nobody ever would."""
    caplog.set_level(logging.WARNING)
    with ExitStack() as ends:
        one, two = sharing.prepare("one"), sharing.prepare("two")
        ends.callback(two.close)
        with closing(one):
            sharing.start("one", one)
            until(lambda: one.on_duty)
            sharing.govern(accreditation(sharing.genesis))
            assert sharing.anchor() == 0
            lost = sharing.edge("identity", 2)
            assert lost.exists()
            # `two` has not looked at this chain yet.
            lost.unlink()
            sharing.start("two", two)
            until(lambda: [r for r in caplog.records if "ZL-TILE-MISSING" in r.message])
            assert one.on_duty
            assert not two.on_duty
        until(lambda: two.on_duty)
        assert lost.exists()
        assert sharing.anchor() == 2  # behind the first and its seal


@pytest.mark.parametrize("chain", ["main", "identity"])
def test_it_starts_though_tiles_are_lost(sharing: Sharing, chain: str) -> None:
    """When all have ended meanwhile, too: nobody else is there to write them anew."""
    with closing(sharing.prepare("one")) as one:
        sharing.start("one", one)
        until(lambda: one.on_duty)
        sharing.govern(accreditation(sharing.genesis))
        assert sharing.anchor() == 0
        assert sharing.edge("identity", 2).exists()
    lost = list((sharing.tiles / chain / "tile").rglob("*.p/*"))
    assert lost
    for path in lost:
        path.unlink()
    with closing(sharing.prepare("two")) as two:
        asked = httpx.Request("GET", "http://two.invalid/status")
        # Without the main chain it has nothing to show, and says so.
        expected = 503 if chain == "main" else 200
        assert sharing.transport.handle_request(asked).status_code == expected
        sharing.start("two", two)
        until(lambda: two.on_duty)
        assert sharing.anchor() == 2
        assert max(lost, key=lambda path: int(path.name)).exists()
