"""Counts for charts: exact, resumed, made anew for another chain, and never in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from registry.engine.summary import FILE, Summary, SummaryKeeper
from registry.engine.view import LogView
from registry.ledger.entries import anchor_entry, parse_entry
from registry.simulation.simulator import Consortium
from tests.waiting import until


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Consortium]:
    with Consortium(tmp_path / "town") as found:
        found.add_issuer()
        yield found


def anchors(chain: Consortium, start: int, count: int) -> None:
    party = chain.add_issuer()
    rows = [
        anchor_entry(party.did, sha256(f"summary {start + n}".encode()).digest())
        for n in range(count)
    ]
    chain.client.submit(chain.genesis.identity_origin, rows, party.key, party.key_url)
    chain.settle()


def views(chain: Consortium) -> dict[str, LogView]:
    return dict(chain.sequencer.reader.views)


def counted(summary: Summary) -> Counter[tuple[str, str]]:
    return Counter({(r["origin"], r["kind"]): r["count"] for r in summary.totals()})


def real(chain: Consortium) -> Counter[tuple[str, str]]:
    return Counter(
        (origin, parse_entry(raw).kind)
        for origin, view in views(chain).items()
        for raw in view.iterate(0, view.size)
    )


def test_counts_are_those_of_the_entries_by_the_day_of_the_seal(
    chain: Consortium, tmp_path: Path
) -> None:
    summary = Summary(tmp_path)
    anchors(chain, 0, 300)
    chain.advance(days=1)
    anchors(chain, 300, 40)
    for view in views(chain).values():
        assert summary.catch_up(view)
    assert counted(summary) == real(chain)
    identity = chain.genesis.identity_origin
    days = {r["day"]: r["count"] for r in summary.counts() if r["kind"] == "anchor"}
    assert days == {"2026-11-22": 300, "2026-11-23": 40}
    assert {r["day"] for r in summary.counts("2026-11-23")} == {"2026-11-23"}
    assert summary.scanned(identity) == views(chain)[identity].size
    summary.close()
    # A new start goes on from the file.
    again = Summary(tmp_path)
    assert counted(again) == real(chain)
    anchors(chain, 400, 10)
    for view in views(chain).values():
        again.catch_up(view)
    assert counted(again) == real(chain)
    again.close()


def test_rules_and_digests_can_be_found(chain: Consortium) -> None:
    summary = Summary()
    for view in views(chain).values():
        summary.catch_up(view)
    rules = summary.rules()
    assert [index for index, _ in rules] == sorted(index for index, _ in rules)
    assert summary.rules(after=rules[0][0], limit=1) == [rules[1]]
    schema = next(e for _, raw in rules if (e := parse_entry(raw.encode())).kind == "resource")
    [found] = summary.find(schema["digest"])
    assert (found["origin"], found["kind"]) == (chain.genesis.origin, "resource")
    assert summary.find("uEi-unknown") == []
    summary.close()


def test_another_chain_of_the_same_name_is_counted_anew(tmp_path: Path, chain: Consortium) -> None:
    summary = Summary(tmp_path)
    anchors(chain, 0, 5)
    for view in views(chain).values():
        summary.catch_up(view)
    with Consortium(tmp_path / "other") as other:
        other.add_verifier()
        anchors(other, 900, 70)
        for view in views(other).values():
            summary.catch_up(view)
        assert counted(summary) == real(other)
    summary.close()


def test_a_keeper_counts_the_rest_while_readers_go_on(
    chain: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.engine.summary._PAGE", 1100)
    for batch in range(3):
        anchors(chain, batch * 1000, 1000)
    summary = Summary()
    keeper = SummaryKeeper(summary, pages=1)
    assert not keeper.refresh(lambda: views(chain))
    until(lambda: keeper.refresh(lambda: views(chain)))
    assert counted(summary) == real(chain)
    summary.close()
    assert keeper.refresh(lambda: views(chain))  # nothing is left to do, and nothing fails


def test_a_file_of_another_version_is_made_anew(chain: Consortium, tmp_path: Path) -> None:
    import sqlite3

    Summary(tmp_path).close()
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    summary = Summary(tmp_path)
    summary.catch_up(views(chain)[chain.genesis.origin])
    assert summary.totals()
    summary.close()
