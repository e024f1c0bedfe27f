"""Two bundles of one network: what was rewritten between them shows, whoever cosigned it.

The histories are of two real consortia with one genesis and the same keys: what a sequencer could
do together with a quorum of the nodes. Every signature in them is good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from registry.client import RegistryClient
from registry.errors import HistoryRewritten, RegistryMisbehaved
from registry.ledger.entries import access_entry, anchor_entry
from registry.simulation.simulator import Consortium, Party
from registry.trust.continuity import check_continues, close_gaps
from tests.registry.submissions import resource


class Town:
    """A consortium whose anchors are numbered."""

    def __init__(self, folder: Path) -> None:
        self.chain = Consortium(folder)
        self.issuer = self.chain.add_issuer()
        self.count = 0

    def anchor(self, count: int, word: str = "") -> None:
        """Anchors, and their seal: one submission of `count` entries in all."""
        chain = self.chain
        entries = [
            anchor_entry(self.issuer.did, sha256(f"{word}{self.count + n}".encode()).digest())
            for n in range(count - 1)
        ]
        self.count += len(entries)
        origin = chain.genesis.identity_origin
        chain.client.submit(origin, entries, self.issuer.key, self.issuer.key_url)
        chain.settle()


@pytest.fixture
def towns(tmp_path: Path) -> Iterator[Callable[[], Town]]:
    with ExitStack() as stack:
        made = 0

        def make() -> Town:
            nonlocal made
            made += 1
            town = Town(tmp_path / str(made))
            stack.callback(town.chain.close)
            return town

        yield make


def test_what_grows_continues(towns: Callable[[], Town]) -> None:
    town = towns()
    bundles = [town.chain.bundle()]
    # Sizes on both sides of a tile's end, and past the tiles whose leaves a bundle still shows.
    for count in (100, 156, 1, 255, 2, 300, 300):
        town.anchor(max(count, 2))
        bundles.append(town.chain.bundle())
    for at, older in enumerate(bundles):
        for newer in bundles[at:]:
            gaps = check_continues(older, newer)
            assert gaps == check_continues(newer, older)
            close_gaps(gaps, town.chain.client.root_at)
            size = older.size_of(town.chain.genesis.identity_origin)
            named = {gap.older.origin for gap in gaps}
            assert (town.chain.genesis.origin in named) == (older is not newer)
            if size % 256 == 0:
                assert town.chain.genesis.identity_origin not in named
        assert town.chain.client.trust_bundle(older) == bundles[-1].raw


def test_a_rewritten_rule(towns: Callable[[], Town]) -> None:
    first, second = towns(), towns()
    first.chain.govern(resource("one"))
    second.chain.govern(resource("two"))
    with pytest.raises(HistoryRewritten) as caught:
        check_continues(first.chain.bundle(), second.chain.bundle())
    assert caught.value.params["chain"] == first.chain.genesis.origin
    second.chain.govern(resource("three"))
    for pair in ((first, second), (second, first)):
        with pytest.raises(HistoryRewritten):
            check_continues(*(town.chain.bundle() for town in pair))


def test_a_rule_that_was_taken_out(towns: Callable[[], Town]) -> None:
    first, second = towns(), towns()
    first.chain.govern(resource("one"))
    second.anchor(3)  # at that place the main chain has no rule, but a checkpoint
    with pytest.raises(HistoryRewritten):
        check_continues(first.chain.bundle(), second.chain.bundle())


@pytest.mark.parametrize(("before", "after"), [(256, 2), (300, 0), (300, 100), (300, 300)])
def test_a_rewritten_anchor(towns: Callable[[], Town], before: int, after: int) -> None:
    first, second = towns(), towns()
    first.anchor(before)
    second.anchor(before, "another ")
    held = first.chain.bundle()
    if after:
        second.anchor(after)
    with pytest.raises(HistoryRewritten) as caught:
        check_continues(held, second.chain.bundle())
    if after:  # else the main chain itself has one size and two roots
        assert caught.value.params["chain"] == first.chain.genesis.identity_origin
        assert caught.value.params["size"] == before


def test_a_chain_that_shrank(towns: Callable[[], Town]) -> None:
    first, second = towns(), towns()
    first.anchor(300)
    for town in (first, second):
        town.chain.add_verifier()
    second.anchor(100)
    second.chain.govern(resource("one"))
    with pytest.raises(HistoryRewritten):
        check_continues(first.chain.bundle(), second.chain.bundle())


def test_what_bundles_do_not_show_the_tiles_do(towns: Callable[[], Town]) -> None:
    """A rewritten leaf of a tile that was partial then, and is long full now."""
    first, second = towns(), towns()
    first.anchor(100)
    second.anchor(100, "another ")
    held = first.chain.bundle()
    for _ in range(3):
        second.anchor(256)
    gaps = check_continues(held, second.chain.bundle())
    assert {gap.older.origin for gap in gaps} == {
        second.chain.genesis.origin,
        second.chain.genesis.identity_origin,
    }
    with pytest.raises(HistoryRewritten) as caught:
        second.chain.client.trust_bundle(held)
    assert caught.value.evidence == second.chain.bundle().raw


def test_a_rewritten_seal_on_the_main_chain(towns: Callable[[], Town]) -> None:
    """No rule and no anchor differ, only when the rules were sealed: the main chain's own root."""
    first, second = towns(), towns()
    second.chain.advance(seconds=60)
    for town in (first, second):
        town.chain.govern(resource("one"))
        town.anchor(2)
    held = first.chain.bundle()
    second.anchor(2)
    with pytest.raises(HistoryRewritten):
        second.chain.client.trust_bundle(held)


class FalseTiles(httpx.BaseTransport):
    """A server that flips a bit in every tile of leaves."""

    def __init__(self, true: httpx.BaseTransport) -> None:
        self._true = true

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._true.handle_request(request)
        body = bytearray(answer.read())
        if "/tile/0/" in request.url.path and answer.status_code == 200:
            body[0] ^= 1
        return httpx.Response(answer.status_code, content=bytes(body))


def test_a_false_tile_is_no_evidence_against_the_quorum(towns: Callable[[], Town]) -> None:
    town = towns()
    town.anchor(100)
    held = town.chain.bundle()
    for _ in range(3):
        town.anchor(256)
    chain = town.chain
    with (
        RegistryClient(
            chain.url,
            chain.genesis,
            transport=FalseTiles(chain.transport),
            now=lambda: chain.now,
        ) as client,
        pytest.raises(RegistryMisbehaved),
    ):
        client.trust_bundle(held)


class Behind(httpx.BaseTransport):
    """A server that has an older bundle, and no tiles but those of its time."""

    def __init__(self, bundle: bytes) -> None:
        self._bundle = bundle

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/bundle"):
            return httpx.Response(200, content=self._bundle)
        return httpx.Response(404)


def test_a_server_that_is_behind_is_not_asked_for_what_it_cannot_have(
    towns: Callable[[], Town],
) -> None:
    town = towns()
    older = town.chain.bundle()
    town.anchor(100)
    chain = town.chain
    with RegistryClient(
        chain.url, chain.genesis, transport=Behind(older.raw), now=lambda: chain.now
    ) as client:
        assert client.trust_bundle(chain.bundle()) == older.raw


def test_access_records_count_as_well(towns: Callable[[], Town]) -> None:
    def looked(town: Town, desk: Party, word: str) -> None:
        record = access_entry(desk.did, sha256(word.encode()).digest())
        origin = town.chain.genesis.access_origin
        town.chain.client.submit(origin, [record], desk.key, desk.key_url)
        town.chain.settle()

    first, second = towns(), towns()
    for town, word in ((first, "one"), (second, "two")):
        looked(town, town.chain.add_verifier(), word)
    held = first.chain.bundle()
    second.anchor(10)
    with pytest.raises(HistoryRewritten) as caught:
        check_continues(held, second.chain.bundle())
    assert caught.value.params["chain"] == first.chain.genesis.access_origin
