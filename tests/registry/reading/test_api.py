"""The HTTP face: tlog-tiles for readers, limits and clear refusals for everyone else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from registry.errors import RegistryUnreachable
from registry.ledger.entries import anchor_entry
from registry.ledger.submission import MAX_SUBMISSION_BYTES, seal
from registry.simulation.simulator import URL, Consortium
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.merkle import leaf_hash, root_of
from registry.tlog.note import VerifierKey
from registry.tlog.tiles import decode_bundle


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("api")) as consortium:
        issuer = consortium.add_issuer()
        consortium.client.submit(
            consortium.genesis.identity_origin,
            [anchor_entry(issuer.did, os.urandom(32)) for _ in range(300)],
            issuer.key,
            issuer.key_url,
        )
        consortium.settle()
        yield consortium


@pytest.fixture
def http(chain: Consortium) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=URL, transport=chain.transport) as client:
        yield client


def test_a_stranger_can_read_the_log_by_tlog_tiles(chain: Consortium, http: httpx.Client) -> None:
    origin = chain.genesis.identity_origin
    log_key = chain.sequencer.chains.governance.chains[origin].log_key
    signed = open_checkpoint(http.get(f"/{origin}/checkpoint").content, origin, [log_key])
    assert signed.size == 301
    rows = decode_bundle(http.get(f"/{origin}/tile/entries/000").content)
    rows += decode_bundle(http.get(f"/{origin}/tile/entries/001.p/45").content)
    assert root_of([leaf_hash(row) for row in rows]) == signed.root
    full = http.get(f"/{origin}/tile/0/000")
    assert len(full.content) == 8192
    assert "immutable" in full.headers["cache-control"]
    partial = http.get(f"/{origin}/tile/0/001.p/45")
    assert len(partial.content) == 45 * 32
    assert "immutable" in partial.headers["cache-control"]  # under its width it never changes
    assert http.get(f"/{origin}/tile/1/000.p/1").content == root_of(
        [leaf_hash(row) for row in rows[:256]]
    )


def test_types_caching_and_codings_are_those_of_tlog_tiles(
    chain: Consortium, http: httpx.Client
) -> None:
    origin = chain.genesis.identity_origin
    for path, kind, caching in [
        ("checkpoint", "text/plain; charset=utf-8", "no-store"),
        ("tile/0/000", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/0/001.p/45", "application/octet-stream", "public, max-age=31536000, immutable"),
        ("tile/entries/000", "application/octet-stream", "public, max-age=31536000, immutable"),
    ]:
        got, head = (http.request(method, f"/{origin}/{path}") for method in ("GET", "HEAD"))
        for answer in (got, head):
            assert answer.status_code == 200
            assert answer.headers["content-type"] == kind
            assert answer.headers["cache-control"] == caching
    missing = http.get(f"/{origin}/tile/0/001")
    assert (missing.status_code, missing.headers["cache-control"]) == (404, "no-store")
    packed = http.get(f"/{origin}/tile/entries/000", headers={"Accept-Encoding": "gzip"})
    both = http.get(
        f"/{origin}/tile/entries/000", headers={"Accept-Encoding": "identity, gzip;q=0.5"}
    )
    assert packed.content == both.content
    for width in range(1, 256):
        tile = http.get(f"/{origin}/tile/0/000.p/{width}").content
        bundle = http.get(f"/{origin}/tile/entries/000.p/{width}").content
        leaves = b"".join(leaf_hash(row) for row in decode_bundle(bundle, width))
        assert tile == leaves


def test_the_main_checkpoint_is_cosigned(chain: Consortium, http: httpx.Client) -> None:
    note = http.get(f"/{chain.genesis.origin}/checkpoint").content
    assert len(chain.genesis.policy.check(note).cosigners) == 4
    open_checkpoint(note, chain.genesis.origin, [VerifierKey.parse(chain.genesis.log_key)])


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "tile/0/0",
        "tile/0/001",  # not full yet
        "tile/0/001.p/46",
        "tile/0/002.p/1",
        "tile/9/000",
        "tile/entries/999",
        "tile/0/../../genesis.json",
        "tile/0/%2e%2e/%2e%2e/keys",
        "tile/0/000%0A",
        "tile/entries/000%0A",
        "tile/0/000%00",
        "tile/0/000/",
        "tile/0/x000/000",
        "tile/00/000",
        "lookup/zz",
        "lookup/" + "00" * 32,
        "lookup/00",
    ],
)
def test_what_does_not_exist_is_404(chain: Consortium, http: httpx.Client, path: str) -> None:
    assert http.get(f"/{chain.genesis.identity_origin}/{path}").status_code == 404


def test_unknown_chains_are_404(http: httpx.Client) -> None:
    for path in ("x/checkpoint", "x/y/tile/0/000", "x/lookup/00", "x/cosigned", "nothing"):
        assert http.get(f"/{path}").status_code == 404
    assert http.post("/x/add", content=b"{}\n").status_code in (400, 404)


def test_bad_submissions_are_refused_with_a_code(chain: Consortium, http: httpx.Client) -> None:
    origin = chain.genesis.identity_origin
    cases = {
        b"": 400,
        b"\n": 400,
        b"{}\n": 400,
        b"\xff\xfe\n": 400,
        b"x" * (MAX_SUBMISSION_BYTES + 1): 400,
        b'{"kind":"wish","v":1}\n': 400,
        b"[" * 8000 + b"\n": 400,
    }
    for body, status in cases.items():
        answer = http.post(f"/{origin}/add", content=body)
        assert answer.status_code == status
        assert answer.json()["error"]["code"].startswith("ZL-")
    stranger = chain.keys.operator
    body = seal(
        origin,
        [anchor_entry("did:web:issuer.example", bytes(32))],
        submitter="did:web:issuer.example",
        key_url="did:web:issuer.example#key-1",
        signer=stranger,
        now=chain.now,
    ).encode()
    answer = http.post(f"/{origin}/add", content=body)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "ZL-SEAL-INVALID"


def test_documents_are_asked_for_by_digest_only(http: httpx.Client) -> None:
    for digest in ("..%2f..%2fkeys.plain", "x", "uEi" + "A" * 44):
        assert http.get(f"/status-lists/{digest}").status_code == 404
        assert http.put(f"/status-lists/{digest}", content=b"{}").status_code in (400, 403, 404)
    huge = http.put("/status-lists/x", content=bytes(3 * 1024 * 1024))
    assert huge.status_code == 400


def test_status_blocks_and_genesis(chain: Consortium, http: httpx.Client) -> None:
    status = http.get("/status").json()
    assert status["main"]["current"]
    assert [node["lag"] for node in status["nodes"]] == [0, 0, 0, 0]
    assert {c["origin"]: c["size"] for c in status["chains"]}[chain.genesis.identity_origin] == 301
    [block] = http.get("/blocks", params={"limit": 5}).json()["blocks"]
    assert block["entries"] == 301
    assert http.get("/blocks", params={"limit": 0}).status_code == 422
    assert http.get("/blocks", params={"before": 0}).json() == {"blocks": []}
    assert http.get("/genesis").content == chain.genesis.entry.raw + b"\n"


def test_a_corrupted_tile_is_named_and_not_served(tmp_path: Path) -> None:
    with Consortium(tmp_path) as chain:
        issuer = chain.add_issuer()
        origin = chain.genesis.identity_origin
        entries = [anchor_entry(issuer.did, os.urandom(32)) for _ in range(300)]
        chain.client.submit(origin, entries, issuer.key, issuer.key_url)
        chain.settle()
        chain.stop_sequencer()
        tile = chain.folder / "registry" / "chains" / "identity" / "tiles" / "tile" / "0" / "000"
        data = tile.read_bytes()
        tile.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
        chain.sequencer = chain._open_sequencer()
        with httpx.Client(base_url=URL, transport=chain.transport) as http:
            answer = http.get(f"/{origin}/tile/0/000")
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "ZL-TILE-CORRUPT"
        with pytest.raises(RegistryUnreachable, match="does not hash"):
            chain.client.compact_proof(origin, 3)
        more = anchor_entry(issuer.did, os.urandom(32))
        chain.client.submit(origin, [more], issuer.key, issuer.key_url)  # it goes on
        tile.write_bytes(data)
        assert chain.settle()
        assert chain.client.entries(origin, 301, 302) == [more]


def test_before_the_first_quorum_there_is_no_checkpoint(tmp_path: Path) -> None:
    with Consortium(tmp_path) as chain:
        for name in list(chain.nodes):
            chain.stop_node(name)
        chain.stop_sequencer()
        for file in (chain.folder / "registry").rglob("checkpoint"):
            file.unlink()
        # As after a crash between the log's commit and its publication.
        import sqlite3

        with sqlite3.connect(
            chain.folder / "registry" / "chains" / "main" / "log.sqlite"
        ) as database:
            database.execute("DELETE FROM checkpoints")
        chain.sequencer = chain._open_sequencer()
        with httpx.Client(base_url=URL, transport=chain.transport) as http:
            assert http.get(f"/{chain.genesis.origin}/checkpoint").status_code == 404
            assert http.get("/bundle").status_code == 404
            assert http.get(f"/{chain.genesis.identity_origin}/cosigned").status_code == 404
            status = http.get("/status").json()
            assert status["main"]["cosignedSize"] == 0
            assert status["alarms"]


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/" + "x999/" * 900 + "999",
        "tile/0/" + "x999/" * 2_000 + "999",  # more digits than Python turns into a number
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x999/x999/x999/x999/x999/999",
        "tile/63/000",
        "tile/entries/%2e%2e/%2e%2e/log.sqlite",
        "tile/0/000.p/256",
        "tile/0/000.p/0",
        "lookup/zz",
        "lookup/" + "0" * 20_000,
        "cosigned?covering=9223372036854775808",
        f"cosigned?covering={'9' * 60}",
        f"cosigned?covering={'9' * 5_000}",
        "../../../../etc/passwd/checkpoint",
        "%2e%2e/%00/checkpoint",
    ],
    ids=range(15),
)
def test_no_path_or_number_is_too_large_to_be_refused(
    chain: Consortium, http: httpx.Client, path: str
) -> None:
    answer = http.get(f"/{chain.genesis.identity_origin}/{path}")
    assert answer.status_code in (404, 422), answer.text
    assert len(answer.content) < 64 * 1024


def test_a_block_beyond_all_numbers_is_refused(http: httpx.Client) -> None:
    for before in (2**63, 10**60):
        assert http.get(f"/blocks?before={before}").status_code == 422
    assert http.get(f"/blocks?before={2**63 - 1}").status_code == 200


@pytest.mark.parametrize("name", ["..%2f..%2fgenesis", "%00", "u" * 5_000, ".", "uEiCH"])
def test_status_lists_have_names_that_stay_in_their_folder(http: httpx.Client, name: str) -> None:
    assert http.get(f"/status-lists/{name}").status_code in (404, 405)
    assert http.put(f"/status-lists/{name}", content=b"{}").status_code in (400, 404, 405)
