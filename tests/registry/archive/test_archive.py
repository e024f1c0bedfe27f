"""Archives, copies and restoration: everything verified before anything counts."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from registry.archive import Archive, export
from registry.errors import (
    ArchiveForged,
    ArchiveMalformed,
    ArchivePartial,
    KeyMissing,
    RegistryError,
    RegistryExists,
    RestoreRefused,
    StoreExists,
)
from registry.ledger.entries import access_entry, anchor_entry
from registry.ledger.genesis import GENESIS_FILE
from registry.nodes.mirror import Mirror
from registry.reading.holders import AddressHolder, ReaderHolder, home_holder
from registry.reading.sources import HttpSource
from registry.sequencing.restoring import STAGING, ArchiveHolder, ask_nodes, fill, restore
from registry.sequencing.sequencer import Sequencer
from registry.simulation.simulator import URL, Consortium
from registry.watching.verification import verify_archive, verify_chains, verify_node


def digest(number: int) -> bytes:
    return sha256(f"archive {number}".encode()).digest()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """A thousand anchors in batches, some access records, and rules between them."""
    with Consortium(tmp_path_factory.mktemp("town")) as found:
        issuer = found.add_issuer()
        desk = found.add_verifier()
        for batch in range(8):
            rows = [anchor_entry(issuer.did, digest(batch * 125 + n)) for n in range(125)]
            found.client.submit(found.genesis.identity_origin, rows, issuer.key, issuer.key_url)
            found.client.submit(
                found.genesis.access_origin,
                [access_entry(desk.did, digest(10_000 + batch))],
                desk.key,
                desk.key_url,
            )
            found.settle()
            if batch == 3:
                found.entitle(desk.did)
        yield found


def write(chain: Consortium, path: Path, **options: Any) -> Path:
    with path.open("wb") as stream:
        export(ReaderHolder(chain.sequencer.reader), chain.genesis, stream, **options)
    return path


@pytest.fixture(scope="module")
def whole(chain: Consortium, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(chain, tmp_path_factory.mktemp("archive") / "whole.tar")


def test_an_archive_verifies_with_the_genesis_alone(chain: Consortium, whole: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    reports = verify_archive(
        whole, chain.genesis, now=chain.now, progress=lambda *told: seen.append(told)
    )
    assert [report["findings"] for report in reports] == [[], [], []]
    assert {report["origin"]: report["size"] for report in reports} == {
        origin: view.size for origin, view in chain.sequencer.reader.views.items()
    }
    assert all(report["rules"] for report in reports)
    assert ("rules", reports[0]["size"], reports[0]["size"]) in seen


def test_one_state_gives_one_file_whoever_exports_it(
    chain: Consortium, whole: Path, tmp_path: Path
) -> None:
    expected = whole.read_bytes()
    others: list[Any] = [
        AddressHolder(HttpSource(URL, transport=chain.transport)),
        AddressHolder(HttpSource("http://data-resources.invalid", transport=chain.transport)),
    ]
    with home_holder(chain.folder / "registry", chain.genesis) as home:
        for holder in (*others, home):
            stream = io.BytesIO()
            export(holder, chain.genesis, stream)
            assert stream.getvalue() == expected


def test_members_lie_where_tlog_tiles_puts_them(chain: Consortium, whole: Path) -> None:
    origin = chain.genesis.identity_origin
    with tarfile.open(whole) as tar:
        names = tar.getnames()
        assert f"{origin}/tile/entries/002" in names
        assert f"{origin}/tile/1/000.p/3" in names
        data = tar.extractfile(f"{origin}/tile/0/002")
        assert data is not None
        from registry.tlog.tiles import Tile

        assert data.read() == chain.sequencer.reader.view(origin).tile(Tile(0, 2))


@pytest.mark.parametrize(("start", "end"), [(0, 256), (256, 512), (300, 700), (512, None)])
def test_a_part_of_a_chain(chain: Consortium, tmp_path: Path, start: int, end: int | None) -> None:
    origin = chain.genesis.identity_origin
    path = write(chain, tmp_path / "part.tar", chains=[origin], start=start, end=end)
    with Archive.check(path, chain.genesis) as archive:
        part = archive.chains[origin].part
        assert part.start <= start and (end is None or part.end >= end)
        assert not archive.whole
        expected = chain.sequencer.reader.view(origin).entries(part.start, part.end)
        assert list(archive.entries(origin, part.start, part.end)) == expected
        with pytest.raises(ArchivePartial):
            list(archive.entries(origin, 0, part.end + 1))
    [report] = verify_archive(path, chain.genesis, now=chain.now)
    assert (report["findings"], report["rules"]) == ([], False)


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        return [(m.name, (tar.extractfile(m) or io.BytesIO()).read()) for m in tar]


def pack(path: Path, rows: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in rows:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


Rows = list[tuple[str, bytes]]


def changed(fragment: str, change: Callable[[bytes], bytes]) -> Callable[[Rows], Rows]:
    def edit(rows: Rows) -> Rows:
        at = next(i for i, (name, _) in enumerate(rows) if fragment in name)
        return [(n, change(d) if i == at else d) for i, (n, d) in enumerate(rows)]

    return edit


def without(fragment: str) -> Callable[[Rows], Rows]:
    def edit(rows: Rows) -> Rows:
        at = next(i for i, (name, _) in enumerate(rows) if fragment in name)
        return [row for i, row in enumerate(rows) if i != at]

    return edit


def flip(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (changed("identity/tile/entries/001", flip), ArchiveForged),
        (changed("identity/tile/0/001", flip), ArchiveForged),
        (changed("main/tile/entries/000", flip), RegistryError),
        (changed("main/checkpoint", flip), ArchiveForged),
        (changed("identity/cosigned", flip), ArchiveForged),
        (changed("genesis.json", lambda data: data.replace(b"hangzhou", b"ningbo")), ArchiveForged),
        (changed("archive.json", lambda _: b"{}"), ArchiveMalformed),
        (changed("archive.json", lambda _: b"["), ArchiveMalformed),
        (without("identity/tile/entries/001"), ArchiveMalformed),
        (without("identity/tile/1/"), ArchiveMalformed),
        (without("end.json"), ArchiveMalformed),
        (lambda rows: [*rows[:-1], ("../../etc/passwd", b"x"), *rows[-1:]], ArchiveMalformed),
        (lambda rows: [*rows, ("more", b"x")], ArchiveMalformed),
    ],
)
def test_a_changed_archive_is_refused(
    chain: Consortium,
    whole: Path,
    tmp_path: Path,
    edit: Callable[[Rows], Rows],
    error: type[RegistryError],
) -> None:
    path = pack(tmp_path / "changed.tar", edit(members(whole)))
    with pytest.raises(error), Archive.check(path, chain.genesis):
        pass
    [report] = verify_archive(path, chain.genesis, now=chain.now)
    assert report["findings"]


def test_a_file_that_is_cut_off_or_no_archive(
    chain: Consortium, whole: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.tar"
    data = whole.read_bytes()
    for kept in (0, 100, 512, 5000, len(data) // 2, len(data) - 12_000):
        path.write_bytes(data[:kept])
        with pytest.raises((ArchiveMalformed, ArchiveForged)), Archive.check(path, chain.genesis):
            pass


# Copies


def test_an_archive_becomes_a_checked_copy(chain: Consortium, whole: Path, tmp_path: Path) -> None:
    mirror = Mirror(tmp_path, chain.genesis, now=lambda: chain.now)
    with Archive.check(whole, chain.genesis) as archive:
        size = fill(mirror, ArchiveHolder(archive))
    try:
        assert mirror.sizes() == {o: v.size for o, v in chain.sequencer.reader.views.items()}
        assert mirror.reader.trust_bundle().main_checkpoint.size == size
    finally:
        mirror.close()
    reports = verify_node(tmp_path, chain.genesis, now=chain.now)
    assert [report["findings"] for report in reports] == [[], [], []]


# Verification of homes and nodes


def test_home_and_nodes_are_sound_while_they_run(chain: Consortium) -> None:
    reports = verify_chains(chain.folder / "registry", chain.genesis, now=chain.now)
    assert [report["findings"] for report in reports] == [[], [], []]
    for name in chain.nodes:
        reports = verify_node(chain.folder / "nodes" / name, chain.genesis, now=chain.now)
        assert [report["findings"] for report in reports] == [[], [], []]


@pytest.fixture
def node(chain: Consortium, tmp_path: Path) -> Path:
    """A copy of a node's store, to be damaged."""
    source = sqlite3.connect(chain.folder / "nodes" / "data-resources" / "node.sqlite")
    target = sqlite3.connect(tmp_path / "node.sqlite")
    source.backup(target)
    source.close()
    target.close()
    return tmp_path


def damage(folder: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(folder / "node.sqlite")
    with db:
        assert db.execute(statement, values).rowcount > 0
    db.close()


IDENTITY = "chain = (SELECT id FROM chains WHERE origin LIKE '%/identity')"


def edit_blob(folder: Path, table: str, where: str, change: Callable[[bytes], bytes]) -> None:
    column = "data" if table == "tiles" else "note"
    db = sqlite3.connect(folder / "node.sqlite")
    query = f"SELECT rowid, {column} FROM {table} WHERE {where}"  # noqa: S608 - of this file
    rows = db.execute(query).fetchall()
    assert rows
    with db:
        for number, data in rows:
            statement = f"UPDATE {table} SET {column} = ? WHERE rowid = ?"  # noqa: S608
            db.execute(statement, (change(bytes(data)), number))
    db.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE tiles SET data = zeroblob(8192) WHERE level = 0 AND idx = 1 AND {}", "tile"),
        ("DELETE FROM tiles WHERE level = 1 AND {}", "tile"),
        ("DELETE FROM tiles WHERE level = -1 AND idx = 2 AND {}", "entry"),
        ("DELETE FROM leaves WHERE position = 77 AND {}", "index"),
        ("UPDATE leaves SET position = 5 WHERE position = 77 AND {}", "index"),
        ("UPDATE chains SET root = zeroblob(32) WHERE origin LIKE '%/identity'", "head"),
        ("UPDATE chains SET frontier = zeroblob(40) WHERE origin LIKE '%/access'", "head"),
        ("UPDATE published SET note = zeroblob(9)", "checkpoint"),
    ],
)
def test_damage_to_a_node_is_found(
    chain: Consortium, node: Path, statement: str, found: str
) -> None:
    damage(node, statement.format(IDENTITY))
    assert found in damages(chain, node)


def damages(chain: Consortium, node: Path) -> set[str]:
    reports = verify_node(node, chain.genesis, now=chain.now)
    return {finding["damage"] for report in reports for finding in report["findings"]}


def test_an_edited_entry_in_a_node_is_named(chain: Consortium, node: Path) -> None:
    edit_blob(
        node,
        "tiles",
        f"level = -1 AND idx = 1 AND {IDENTITY}",
        lambda data: data.replace(b'"kind":"anchor"', b'"kind":"ancho2"', 1),
    )
    reports = verify_node(node, chain.genesis, now=chain.now)
    [report] = [r for r in reports if r["origin"] == chain.genesis.identity_origin]
    assert report["findings"] == [{"damage": "entry", "where": "256"}]


def test_an_edited_note_in_a_node_is_found(chain: Consortium, node: Path) -> None:
    edit_blob(node, "cosigned", "1", lambda note: note.replace(b"\n\n", b"\nx\n\n", 1))
    assert "checkpoint" in damages(chain, node)


def test_a_consistent_lie_in_a_node_is_found(chain: Consortium, node: Path) -> None:
    """An entry and all hashes above it changed: then the cosigned notes contradict it."""
    from registry.tlog.merkle import leaf_hash
    from registry.tlog.tiles import TileStack, decode_bundle, encode_bundle

    db = sqlite3.connect(node / "node.sqlite")
    number, size = db.execute(
        "SELECT id, size FROM chains WHERE origin = ?", (chain.genesis.origin,)
    ).fetchone()
    (data,) = db.execute(
        "SELECT data FROM tiles WHERE chain = ? AND level = -1 AND idx = 0", (number,)
    ).fetchone()
    rows = decode_bundle(data)
    at = next(i for i, row in enumerate(rows) if b"https" in row)
    rows[at] = rows[at].replace(b"https", b"httpz")
    stack = TileStack()
    tiles = [*stack.extend(map(leaf_hash, rows)), *stack.partials()]
    assert size == len(rows)
    with db:
        db.execute(
            "UPDATE tiles SET data = ? WHERE chain = ? AND level = -1",
            (encode_bundle(rows), number),
        )
        for tile, hashes in tiles:
            db.execute(
                "UPDATE tiles SET data = ? WHERE chain = ? AND level = ? AND idx = ?",
                (b"".join(hashes), number, tile.level, tile.index),
            )
        db.execute("UPDATE chains SET root = ? WHERE id = ?", (stack.root(), number))
    db.close()
    [main, *_] = verify_node(node, chain.genesis, now=chain.now)
    assert "checkpoint" in {finding["damage"] for finding in main["findings"]}


# Restoration


def sources(chain: Consortium) -> dict[str, HttpSource]:
    return {
        name: HttpSource(f"http://{name}.invalid", transport=chain.transport)
        for name in ("data-resources", "public-security", "market-regulation", "human-resources")
    }


def bring_back(chain: Consortium, home: Path, holder: Any, **options: Any) -> dict[str, int]:
    heard = ask_nodes(chain.genesis, sources(chain))
    return restore(
        home,
        chain.genesis,
        chain.keys.sequencer(chain.genesis.network),
        holder,
        floor=heard.floor,
        now=lambda: chain.now,
        **options,
    )


@pytest.mark.parametrize("source", ["archive", "node"])
def test_a_sequencer_is_restored_and_goes_on(tmp_path: Path, source: str) -> None:
    with Consortium(tmp_path / "town") as chain:
        issuer = chain.add_issuer()
        origin = chain.genesis.identity_origin

        def anchors(first: int, count: int) -> None:
            rows = [anchor_entry(issuer.did, digest(first + n)) for n in range(count)]
            chain.client.submit(origin, rows, issuer.key, issuer.key_url)
            chain.settle()

        anchors(0, 300)
        path = write(chain, tmp_path / "whole.tar")
        before = {o: v.checkpoint for o, v in chain.sequencer.reader.views.items()}
        chain.stop_sequencer()
        lost = chain.folder / "registry"
        lost.rename(tmp_path / "lost")
        if source == "archive":
            with Archive.check(path, chain.genesis) as archive:
                sizes = bring_back(chain, lost, ArchiveHolder(archive))
        else:
            node = HttpSource("http://public-security.invalid", transport=chain.transport)
            sizes = bring_back(chain, lost, AddressHolder(node))
        assert sizes == {o: checkpoint.size for o, checkpoint in before.items()}
        assert not (lost / STAGING).exists()
        chain.sequencer = chain._open_sequencer()
        assert {o: v.checkpoint for o, v in chain.sequencer.reader.views.items()} == before
        anchors(300, 50)
        assert all(node["error"] is None for node in chain.sequencer.status()["nodes"])
        assert chain.sequencer.status()["alarms"] == []
        reports = verify_chains(lost, chain.genesis, now=chain.now)
        assert [report["findings"] for report in reports] == [[], [], []]


def test_nothing_is_restored_below_what_a_node_has_cosigned(tmp_path: Path) -> None:
    with Consortium(tmp_path / "town") as chain:
        old = write(chain, tmp_path / "old.tar")
        chain.add_issuer()
        home = tmp_path / "home"
        with (
            Archive.check(old, chain.genesis) as archive,
            pytest.raises(RestoreRefused, match="does not show"),
        ):
            bring_back(chain, home, ArchiveHolder(archive))
        assert not (home / GENESIS_FILE).exists()
        # Also where one node alone knows of it.
        for name in ("data-resources", "public-security", "market-regulation"):
            chain.stop_node(name)
        with pytest.raises(RestoreRefused, match="data-resources does not say"):
            ask_nodes(chain.genesis, sources(chain))
        lost = ("data-resources", "public-security")
        with pytest.raises(RestoreRefused, match="market-regulation"):
            ask_nodes(chain.genesis, sources(chain), without=lost)
        chain.start_node("market-regulation")
        with pytest.raises(RestoreRefused, match="fewer nodes"):
            ask_nodes(chain.genesis, sources(chain), without=lost)
        chain.start_node("public-security")
        heard = ask_nodes(chain.genesis, sources(chain), without=("data-resources",))
        assert heard.floor is not None


def test_what_a_monitor_saw_of_a_side_chain_counts(chain: Consortium, tmp_path: Path) -> None:
    known = {chain.genesis.identity_origin: 5000}
    node = AddressHolder(HttpSource("http://public-security.invalid", transport=chain.transport))
    with pytest.raises(RestoreRefused, match="was seen with 5000"):
        bring_back(chain, tmp_path / "home", node, known=known)


def test_restoration_overwrites_nothing_and_needs_the_keys(
    chain: Consortium, tmp_path: Path
) -> None:
    node = AddressHolder(HttpSource("http://public-security.invalid", transport=chain.transport))
    with pytest.raises(RegistryExists):
        bring_back(chain, chain.folder / "registry", node)
    from registry.sequencing.chain import SequencerKeys

    heard = ask_nodes(chain.genesis, sources(chain))
    keys = chain.keys.sequencer(chain.genesis.network)
    for logs, error in (
        ({}, KeyMissing),
        (
            {**keys.logs, chain.genesis.origin: keys.logs[chain.genesis.access_origin]},
            RestoreRefused,
        ),
    ):
        with pytest.raises(error):
            restore(
                tmp_path / "home",
                chain.genesis,
                SequencerKeys(keys.operator, logs),
                node,
                floor=heard.floor,
                now=lambda: chain.now,
            )
    assert not (tmp_path / "home" / GENESIS_FILE).exists()


def test_an_interrupted_restoration_can_be_repeated(
    chain: Consortium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = AddressHolder(HttpSource("http://public-security.invalid", transport=chain.transport))
    home = tmp_path / "home"
    calls = 0

    def stumble(origin: str, done: int, whole: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_back(chain, home, node, progress=stumble)
    assert not (home / GENESIS_FILE).exists()
    sizes = bring_back(chain, home, node)
    assert sizes[chain.genesis.identity_origin] == 1008
    sequencer = Sequencer(
        home,
        chain.genesis,
        chain.keys.sequencer(chain.genesis.network),
        links=lambda: {},
        now=lambda: chain.now,
    )
    sequencer.close()


def test_stores_that_are_there_are_not_touched(chain: Consortium, tmp_path: Path) -> None:
    node = AddressHolder(HttpSource("http://public-security.invalid", transport=chain.transport))
    home = tmp_path / "home"
    from registry.storage.sqlite import SqliteStore

    SqliteStore.create(home / "chains" / "main", chain.genesis.origin)
    with pytest.raises(StoreExists):
        bring_back(chain, home, node)
