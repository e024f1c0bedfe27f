"""Disks that are full, damaged or lost, and clocks that go back.

A full disk is a real one where mounting is allowed: a file system of a few MiB in memory.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from registry.engine.fsck import check_log
from registry.engine.log import TILES, Log
from registry.errors import (
    EntryCorrupt,
    QuorumMissing,
    RegistryError,
    RegistryUnreachable,
    StoreBehind,
    StoreFailed,
    StoreFull,
    SubmissionRefused,
    TileCorrupt,
)
from registry.ledger.entries import anchor_entry
from registry.reading.holders import AddressHolder
from registry.reading.sources import HttpSource
from registry.sequencing.restoring import ask_nodes, restore
from registry.simulation.simulator import NODES, SEQUENCER, Consortium, Party, node_url
from registry.storage.sqlite import FILE
from registry.tlog.tiles import Tile
from registry.watching.verification import verify_chains
from tests.faults.network import running
from tests.faults.writer import ORIGIN, SIGNER

NAMES = tuple(NODES)
MIB = 1 << 20


class SmallDisk:
    """A file system with so little room; `fill` takes it all, `free` gives it back."""

    def __init__(self, folder: Path, mib: int) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        self._mib = mib

    def fill(self, leave: int = 0) -> None:
        handle = os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            while True:
                os.write(handle, bytes(4096))
        except OSError as error:
            assert error.errno == 28
        finally:
            os.close(handle)
        os.truncate(self._ballast, max(0, self._ballast.stat().st_size - leave))

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[SmallDisk]:
    """Mounted at `folder`, and gone afterwards whatever happens."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting needs root; `test_refusals` plays a full disk at every step")
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("no mounts here; `test_refusals` plays a full disk at every step")
    try:
        yield SmallDisk(folder, mib)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_log_on_a_full_disk_refuses_by_name_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 6) as disk:
        place = disk.folder / "log"
        Log.create(place, ORIGIN)
        acknowledged: dict[int, bytes] = {}
        with Log.open(place, signer=SIGNER) as log:

            def add(number: int) -> None:
                rows = [b"%d-%d " % (number, n) + bytes(200) for n in range(40)]
                for index, row in zip(log.add(rows).indices, rows, strict=True):
                    acknowledged[index] = row

            add(0)
            log.tick()
            for turn in range(1, 4):
                disk.fill(leave=turn * 40_000)
                refused: list[RegistryError] = []
                for number in range(1000):
                    try:
                        add(turn * 1000 + number)
                        log.tick()
                    except RegistryError as error:
                        refused.append(error)
                        if len(refused) == 5:
                            break
                assert len(refused) == 5
                assert {type(error) for error in refused} <= {StoreFull}
                held = log.published()
                assert held is not None
                disk.free()
                add(turn * 1000 + 999)  # nobody opened it again
                log.tick()
            assert not log.stopped
            rows = log.view.entries(0, log.view.size)
        assert all(rows[index] == row for index, row in acknowledged.items())
        assert check_log(place, log_key=SIGNER.key).findings == []


class Town:
    """A consortium in `folder`, and what it has acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.chain = Consortium(folder)
        self.issuer: Party = self.chain.add_issuer()
        self.side = self.chain.genesis.identity_origin
        self.acknowledged: dict[int, bytes] = {}

    def add(self, count: int = 1) -> None:
        entries = [anchor_entry(self.issuer.did, os.urandom(32)) for _ in range(count)]
        receipt = self.chain.client.submit(self.side, entries, self.issuer.key, self.issuer.key_url)
        for index, entry in zip(receipt.indices, entries, strict=True):
            assert self.acknowledged.setdefault(index, entry.raw) == entry.raw

    def check(self) -> None:
        """Everybody has everything, and the quorum has cosigned it."""
        assert self.chain.settle()
        rows = self.chain.sequencer.reader.views[self.side].entries(
            0, self.chain.sequencer.reader.views[self.side].size
        )
        assert all(rows[index] == raw for index, raw in self.acknowledged.items())
        for name in self.chain.nodes:
            view = self.chain.nodes[name].reader.views[self.side]
            assert view.entries(0, view.size) == rows, name
            assert self.chain.nodes[name]._cosigned().size == self.chain.sequencer.chains.main.size


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "town")
    yield made
    made.chain.close()


def test_a_network_on_full_disks_refuses_by_name_and_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", 24) as disk:
        town = Town(disk.folder / "town")
        try:
            town.add(3)
            assert town.chain.settle()
            for leave in (0, 8_192, 70_000, 300_000):
                disk.fill(leave=leave)
                refused = 0
                for _ in range(60):
                    try:
                        town.add(20)
                        town.chain.sequencer.step(patient=True)
                        town.chain.catch_up()
                    except (StoreFull, StoreFailed) as error:
                        assert isinstance(error, StoreFull)
                        refused += 1
                    except RegistryUnreachable as error:
                        assert "no room" in str(error)
                        refused += 1
                    if refused > 3:
                        break
                assert refused
                disk.free()
                time.sleep(0.1)
                town.add()
                town.check()
            # Nothing is amiss after a restart, either: no table was left behind the entries.
            town.chain.add_verifier()
            town.chain.restart_sequencer()
            for name in NAMES:
                town.chain.stop_node(name)
                town.chain.start_node(name)
            town.add()
            town.check()
        finally:
            town.chain.close()


def test_a_node_whose_look_up_tables_fail_takes_in_later_what_it_missed(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, name = town.chain, NAMES[0]
    catalogue = chain.nodes[name].mirror.catalogue

    def full(*_: object) -> bool:
        raise StoreFull(store="catalogue.sqlite")

    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "take", full)
        patch.setattr(catalogue, "catch_up", full)
        chain.add_issuer("did:web:second.example")  # checked, and not in the tables
    second = chain.add_issuer("did:web:third.example")
    town.add()
    town.check()
    chain.stop_node(name)
    chain.start_node(name)  # it replays the rules from its tables
    entry = anchor_entry(second.did, os.urandom(32))
    chain.client.submit(town.side, [entry], second.key, second.key_url)
    town.check()
    held = chain.nodes[name].mirror.catalogue.rules(1 << 40)
    assert held == chain.sequencer.chains.catalogue.rules(1 << 40)
    assert chain.nodes[name].refusals() == []


# Damage


def _flip(path: Path, at: int = -5) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("tile", [Tile(0, 0), Tile(Tile.ENTRIES, 0)], ids=["hashes", "entries"])
def test_a_corrupted_tile_is_noticed_named_and_made_anew(town: Town, tile: Tile) -> None:
    chain = town.chain
    town.add(250)
    town.add(250)
    assert chain.settle()
    home = chain.folder / SEQUENCER
    folder = home / "chains" / "identity" / TILES
    _flip(folder / tile.path)
    chain.restart_sequencer()  # what it had in memory is gone
    with pytest.raises((TileCorrupt, EntryCorrupt)):
        chain.sequencer.reader.views[town.side].tile(tile)
    with httpx.Client(transport=chain.transport) as http:
        assert http.get(f"{chain.url}/{town.side}/{tile.path}").status_code >= 400
    reports = verify_chains(home, chain.genesis, now=chain.now)
    found = [str(one["where"]) for report in reports for one in report["findings"]]
    assert any(tile.path in where for where in found), found
    town.add()  # it goes on meanwhile
    assert chain.settle()
    chain.stop_sequencer()
    shutil.rmtree(folder)  # everything in it can be made from the record
    chain.sequencer = chain._open_sequencer()
    town.add()
    town.check()
    reports = verify_chains(home, chain.genesis, now=chain.now)
    assert [one for report in reports for one in report["findings"]] == []


def test_a_damaged_record_is_named_and_restored_from_a_node(town: Town) -> None:
    chain = town.chain
    town.add(300)
    assert chain.settle()
    home = chain.folder / SEQUENCER
    chain.stop_sequencer()
    victim = town.acknowledged[7]
    with sqlite3.connect(home / "chains" / "identity" / FILE) as db:
        for start, data in db.execute("SELECT start, entries FROM commits").fetchall():
            if victim in data:
                changed = data.replace(victim[-20:], victim[-20:-1] + b"?")
                db.execute("UPDATE commits SET entries = ? WHERE start = ?", (changed, start))
    db.close()
    reports = verify_chains(home, chain.genesis, now=chain.now)
    assert any(one["damage"] == "entry" for report in reports for one in report["findings"]), (
        reports
    )
    # The operator puts the damaged home aside, and has it made anew from a node.
    home.rename(home.with_name("damaged"))
    peers = {name: HttpSource(node_url(name), transport=chain.transport) for name in NAMES}
    restore(
        home,
        chain.genesis,
        chain.keys.sequencer(chain.genesis.network),
        AddressHolder(peers[NAMES[1]]),
        floor=ask_nodes(chain.genesis, peers).floor,
        now=lambda: chain.now,
    )
    chain.sequencer = chain._open_sequencer()
    town.add()
    town.check()
    reports = verify_chains(home, chain.genesis, now=chain.now)
    assert [one for report in reports for one in report["findings"]] == []


def test_a_record_that_lost_its_end_is_not_opened(tmp_path: Path) -> None:
    """A file system that lied about what was durable, or an old backup: no second tree is made."""
    place = tmp_path / "log"
    Log.create(place, ORIGIN)
    with Log.open(place, signer=SIGNER) as log:
        log.add([b"one", b"two"])
        log.tick()
    shutil.copytree(place, tmp_path / "old")
    with Log.open(place, signer=SIGNER) as log:
        log.add([b"three"])
        log.tick()
    for path in (tmp_path / "old").glob(f"{FILE}*"):
        shutil.copy(path, place / path.name)
    with pytest.raises(StoreBehind):
        Log.open(place, signer=SIGNER)


# Disks that are gone; processes


@pytest.mark.skipif(not os.environ.get("ZL_FAULTS"), reason="`make test-faults` runs it")
def test_a_node_that_lost_its_disk_comes_back_while_entries_arrive() -> None:
    with running() as (processes, observer):
        for name in NAMES[:2]:
            observer.goes_on()
            processes.kill(name)
            assert processes.ends(name, 20) == signal.SIGKILL
            observer.goes_on()
            shutil.rmtree(processes.folder / "nodes" / name)
            processes.start(name, lost=True)
            assert processes.listens(name)
            other = NAMES[3] if name == NAMES[0] else NAMES[2]
            processes.kill(other)  # now its own cosignature is needed
            assert processes.ends(other, 20) == signal.SIGKILL
            observer.goes_on()
            processes.start(other)
            assert processes.listens(other)
        observer.goes_on()
        observer.stop()
        processes.down()
        tally = observer.examine()
        assert tally.lost == 0
        assert tally.acknowledged > 0


# Clocks


def test_a_clock_that_goes_back_hours(town: Town) -> None:
    chain = town.chain
    town.add()
    town.check()
    before = {name: chain.nodes[name]._cosigned() for name in NAMES}
    published = chain.client.cosigned()
    chain.advance(hours=-6)
    # The same clock is everybody's here: the sequencer judges by the latest time that it knows,
    # and refuses a seal that claims to be older than the one before it, by name.
    with pytest.raises(SubmissionRefused) as caught:
        town.add()
    assert caught.value.params["cause"] == "ZL-NOT-PERMITTED"
    chain.sequencer.step(patient=True)
    for name in NAMES:
        held = chain.nodes[name]._cosigned()
        assert held.size >= before[name].size
        assert held.time >= before[name].time  # a cosignature is never younger than an older one
    with pytest.raises(QuorumMissing):
        chain.client.cosigned()  # whose clock is wrong takes these cosignatures for later ones
    right, chain.client._now = chain.client._now, lambda: chain.now + timedelta(hours=6)
    assert chain.client.cosigned().main.size >= published.main.size
    chain.client._now = right
    chain.restart_sequencer()
    for name in NAMES:
        chain.stop_node(name)
        chain.start_node(name)
    chain.sequencer.step(patient=True)
    chain.advance(hours=6, minutes=1)
    town.add()
    town.check()


def test_the_sequencers_clock_alone_goes_back(town: Town) -> None:
    chain = town.chain
    town.add()
    town.check()
    now = chain.now
    submitters = chain.client._now  # their clocks are right
    chain.client._now = lambda: now
    try:
        chain.advance(hours=-6)
        for _ in range(3):
            town.add()
            chain.settle()
        sealed = chain.sequencer.chains.catalogue.sealed(chain.genesis.origin)
        assert sealed is not None and sealed >= now.replace(microsecond=0)
    finally:
        chain.client._now = submitters
    chain.advance(hours=6, seconds=30)
    town.add()
    town.check()
