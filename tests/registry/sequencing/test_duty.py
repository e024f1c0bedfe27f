"""`zl registry` on shared stores: what stands by serves, what is refused by name, what is found."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from obstore.store import S3Store

from registry.client import RegistryClient
from registry.errors import EntryUnknown
from registry.reading.documents import read_document
from registry.storage.places import Place, Places
from tests.waiting import PATIENCE_S, until


def get(address: str, path: str) -> httpx.Response:
    return httpx.get(f"{address}/{path}", timeout=PATIENCE_S, trust_env=False)


@pytest.mark.slow
def test_a_stand_by_reads_from_postgresql_and_s3(
    cluster: Any, postgres: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    store = postgres.database()
    genesis = cluster.found(store, f"{bucket.url}/city", ("one", "two"))
    for name in ("one", "two"):
        cluster.start(name)
    first, second = (cluster.ports[name] for name in cluster.wait_for_duty())
    cluster.load("one", threads=2, batch=100)
    cluster.until_acked(time.monotonic(), count=12)
    cluster.end_load()
    origin = genesis.identity_origin
    ack = cluster.acks[-1]
    size = ack.first + ack.count + 1
    for address in (first, second):
        until(lambda a=address: served(a, origin) >= size)
        newest = served(address, origin)
        assert get(address, f"{origin}/checkpoint").headers["content-type"].startswith("text/plain")
        for path in (f"{origin}/tile/0/000", f"{origin}/tile/entries/001", f"{origin}/tile/0/002"):
            assert get(first, path).content == get(address, path).content
        partial = newest % 256
        if partial:
            path = f"{origin}/tile/0/{newest // 256:03d}.p/{partial}"
            assert len(get(address, path).content) == 32 * partial
        [entry] = cluster.entries(ack.thread, ack.step, ack.count)[:1]
        found = get(address, f"{origin}/lookup/{entry.leaf_hash.hex()}").json()
        assert found == {"index": ack.first}
        assert get(address, "genesis").content == get(first, "genesis").content
        assert get(address, "status-lists/uEiAAAA").status_code == 404
    status = until(
        lambda: get(second, "status").json(),
        lambda told: told.get("standby") == {"holder": first},
    )
    assert {c["origin"] for c in status["chains"]} == {origin, genesis.access_origin}
    refused = httpx.post(
        f"{second}/{origin}/add", content=b"x\n", timeout=PATIENCE_S, trust_env=False
    )
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "ZL-REGISTRY-STANDBY"
    assert first in refused.json()["error"]["message"]
    put = httpx.put(f"{second}/status-lists/x", content=b"{}", timeout=PATIENCE_S, trust_env=False)
    assert put.status_code == 503
    cluster.check(genesis, "one")
    tiles = Places.load(cluster.home("two"), genesis.network).tiles(genesis.origin)
    assert tiles.get_document("genesis.json") == genesis.entry.raw
    assert read_document(tiles, "uEiAAAA") is None
    report = json.loads(cluster.zl("two", "verify", "--json"))
    assert all(not chain["findings"] for chain in report["chains"])
    with RegistryClient([second, first], genesis) as client, pytest.raises(EntryUnknown):
        client.cosigned(origin)  # no node runs here

    def damaged() -> set[str]:
        report = json.loads(cluster.zl("two", "verify", "--json", expect=1))
        return {
            finding["damage"]
            for chain in report["chains"]
            for finding in chain["findings"]
            if chain["origin"] == origin
        }

    # What somebody changes in the bucket or in the database is found, from the bytes alone.
    objects = S3Store(bucket.url.removeprefix("s3://"), region="us-east-1", **bucket.config)
    path = f"city/{origin.rpartition('/')[2]}/tile/0/000"
    tile = objects.get(path).bytes().to_bytes()
    objects.put(path, bytes([tile[0] ^ 1]) + tile[1:])
    assert damaged() == {"tile"}
    objects.put(path, tile)
    postgres.run(
        "UPDATE zl_commits SET entries = set_byte(entries, 40, get_byte(entries, 40) # 1) "
        "WHERE start = 0 AND log = "
        "(SELECT id FROM zl_logs WHERE origin = 'hangzhou.zhenglian.example/identity')",
        options=httpx.URL(store).params["options"],
    )
    assert "entry" in damaged()


@pytest.mark.slow
def test_one_process_a_home(cluster: Any, postgres: Any) -> None:
    cluster.found(postgres.database(), f"file://{cluster.folder}/tiles", ("one",))
    cluster.start("one")
    told = cluster.zl("one", "serve", "--port", "0", expect=4)
    assert "ZL-STORE-LOCKED" in told


def nodes(cluster: Any) -> list[str]:
    words = []
    for node in ("a", "b", "c"):
        path = cluster.folder / f"{node}.json"
        if not path.exists():
            made = cluster.zl("one", "node", "init", node, "--unencrypted-keys", "--json")
            path.write_text(made, encoding="utf-8")
        words += ["--node", str(path)]
    return words


@pytest.mark.slow
def test_what_keeps_a_network_from_being_founded(
    cluster: Any, postgres: Any, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environ.items():
        monkeypatch.setenv(name, value)
    store = postgres.database()
    words = ["init", *nodes(cluster), "--unencrypted-keys", "--json"]
    for place, code, number in (
        (("--store", "postgresql://me:secret@db/registry"), "ZL-STORE-PLACE", 2),
        (("--store", "mysql://db/registry"), "ZL-STORE-PLACE", 2),
        (("--tiles", "https://bucket"), "ZL-STORE-PLACE", 2),
        (("--store", "postgresql://postgres@127.0.0.1:9/x"), "ZL-STORE-UNREACHABLE", 4),
        (("--store", store, "--tiles", "s3://zl-no-such-bucket/x"), "ZL-TILES-BUCKET", 4),
    ):
        told = cluster.zl("one", *words, *place, expect=number)
        assert json.loads(told)["error"]["code"] == code
        assert "secret" not in told
        assert not (cluster.home("one") / "keys.plain.json").exists()
        assert not (cluster.home("one") / "storage.json").exists()
    cluster.zl("one", *words, "--store", store, "--tiles", bucket.url)
    assert "postgresql" in (cluster.home("one") / "storage.json").read_text()
    again = cluster.zl("two", *words, "--store", store, "--tiles", bucket.url, expect=2)
    assert json.loads(again)["error"]["code"] == "ZL-STORE-EXISTS"
    postgres.run("UPDATE zl_format SET version = 99", options=httpx.URL(store).params["options"])
    refused = cluster.zl("one", "serve", "--port", "0", expect=4)
    assert "ZL-STORE-VERSION" in refused


def served(address: str, origin: str) -> int:
    """The size of the checkpoint that an address shows."""
    answer = get(address, f"{origin}/checkpoint")
    return int(answer.text.split("\n")[1]) if answer.status_code == 200 else -1


@pytest.mark.slow
def test_side_chains_go_on_while_the_main_chain_is_away(
    cluster: Any, postgres: Any, another_postgres: Any
) -> None:
    """One URL a chain: the main chain's database dies, and comes back."""
    tiles = f"file://{cluster.folder}/tiles"
    home = cluster.home("one")
    home.mkdir(parents=True)
    network = "hangzhou.zhenglian.example"
    places = {f"{network}/main": Place(another_postgres.database(), tiles)}
    Places(home, network, {"default": Place(postgres.database(), tiles), **places}).save()
    genesis = cluster.found_in_place("one")
    assert postgres.run("SELECT 1") == another_postgres.run("SELECT 1")
    address = cluster.start("one")
    cluster.wait_for_duty()
    cluster.load("one", threads=2, batch=8)
    cluster.until_acked(time.monotonic(), count=10)
    another_postgres.crash()
    cluster.until_acked(time.monotonic() + 1, count=50)
    away = until(
        lambda: cluster.status("one"),
        lambda told: any(alarm.startswith("ZL-STORE-") for alarm in told.get("alarms", ())),
    )
    another_postgres.start()
    until(lambda: size_of_main(cluster) > away["main"]["size"])
    cluster.end_load()
    cluster.check(genesis, "one")
    until(lambda: anchored(address) == served(address, genesis.identity_origin))


def size_of_main(cluster: Any) -> int:
    """Of the main chain, as the process says; -1 while it is too busy to answer."""
    told = cluster.status("one")
    return int(told["main"]["size"]) if told else -1


def anchored(address: str) -> int:
    """Up to where the main chain has recorded the identity chain."""
    return int(get(address, "blocks").json()["blocks"][0]["end"])
