"""Submissions that arrive together: each gets its own answer, and none spoils another."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import pytest

from credentials.keys import PrivateKey
from registry.engine.log import Log
from registry.errors import (
    EntriesDuplicate,
    EntryKindUnknown,
    EntryMalformed,
    LogBusy,
    LogClosed,
    NotPermitted,
    OriginUnknown,
    RegistryError,
    SealInvalid,
    SubmissionMalformed,
)
from registry.ledger.entries import Entry, make_entry, status_entry
from registry.sequencing import door as door_module
from registry.sequencing.chain import Chains
from registry.sequencing.door import Added, Answer, Door, ForwardClock, Gate
from registry.simulation.simulator import START, Consortium, Party
from tests.registry.submissions import anchors, resource, sealed
from tests.waiting import until

LIST = "https://issuer.example/status/1"


class Callers:
    """Everybody who waits at a door, and what each was told, how often."""

    def __init__(self, door: Door, origin: str) -> None:
        self.door, self.origin = door, origin
        self.told: list[list[Answer]] = []
        self._arrived: SimpleQueue[None] = SimpleQueue()

    def submit(self, data: bytes, origin: str = "") -> int:
        mine: list[Answer] = []
        self.told.append(mine)

        def tell(answer: Answer) -> None:
            mine.append(answer)
            self._arrived.put(None)

        self.door.submit(origin or self.origin, data, tell)
        return len(self.told) - 1

    def wait(self, count: int | None = None) -> list[Answer]:
        for _ in range(len(self.told) if count is None else count):
            self._arrived.get(timeout=30)
        assert self._arrived.empty()
        assert all(len(mine) == 1 for mine in self.told)
        return [mine[0] for mine in self.told]


@pytest.fixture
def callers(chain: Consortium, issuer: Party) -> Callers:
    return Callers(chain.sequencer.chains.door, chain.genesis.identity_origin)


def chains(chain: Consortium) -> Chains:
    return chain.sequencer.chains


def test_each_of_hundreds_gets_its_own_answer(
    chain: Consortium, issuer: Party, callers: Callers
) -> None:
    log = chains(chain).log(callers.origin)
    known = anchors(issuer, 3)
    chains(chain).add(callers.origin, sealed(chain, issuer, known))
    chain.settle()
    stranger = Party("did:web:stranger.example", PrivateKey.generate("P-256"), "", {})
    forged = Party(issuer.did, stranger.key, issuer.key_url, {})
    twice = anchors(issuer, 2)
    good = sealed(chain, issuer, anchors(issuer))
    nobody = Party(stranger.did, stranger.key, f"{stranger.did}#key-1", {})
    late = chain.now + timedelta(hours=3)
    makers: list[tuple[Any, Any]] = [
        (lambda: sealed(chain, issuer, anchors(issuer)), Added),
        (lambda: sealed(chain, issuer, anchors(issuer, 5)), Added),
        (lambda: sealed(chain, issuer, known), "repeated"),
        (lambda: sealed(chain, issuer, [*anchors(issuer), known[1]]), EntriesDuplicate),
        (lambda: sealed(chain, issuer, twice + twice), EntriesDuplicate),
        (lambda: sealed(chain, forged, anchors(issuer)), SealInvalid),
        (lambda: sealed(chain, nobody, anchors(nobody)), NotPermitted),
        (lambda: sealed(chain, issuer, anchors(issuer), at=late), NotPermitted),
        (lambda: sealed(chain, issuer, anchors(issuer))[:-1], SubmissionMalformed),
        (
            lambda: sealed(chain, issuer, anchors(issuer)).replace(b'"anchor":"u', b'"anchor":"v'),
            EntryMalformed,
        ),
        (lambda: b"\n", EntryMalformed),
        (lambda: b'{"kind":"nonsense","v":1}\n', EntryKindUnknown),
        (lambda: good, "once"),
        (lambda: b"", SubmissionMalformed),
        (lambda: b"\xff" * 600 + b"\n", EntryMalformed),
    ]
    wanted = []
    before = log.size
    with chains(chain).door.gate.closed():  # so that they wait and are taken together
        for _ in range(20):
            for make, answer in makers:
                callers.submit(make())
                wanted.append(answer)
    answers = callers.wait()
    places: list[int] = []
    for answer, want in zip(answers, wanted, strict=True):
        if want == "repeated":
            assert isinstance(answer, Added)
            assert (answer.indices, answer.repeated) == ((0, 1, 2), True)
        elif want == "once" or want is Added:
            assert isinstance(answer, Added)
            if not answer.repeated:
                places += answer.indices
        else:
            assert type(answer) is want, answer
    once = [a for a, want in zip(answers, wanted, strict=True) if want == "once"]
    assert {a.indices for a in once if isinstance(a, Added)} == {once[0].indices}  # type: ignore[union-attr]
    assert [a.repeated for a in once if isinstance(a, Added)].count(False) == 1
    assert len(set(places)) == len(places) == 20 * 6 + 1
    assert log.size - before == 20 * (2 + 6) + 2  # and their seals; nothing of what was refused
    assert chain.settle()  # the nodes accept what the door let in


def test_one_group_needs_few_commits(chain: Consortium, issuer: Party, callers: Callers) -> None:
    log = chains(chain).log(callers.origin)
    with chains(chain).door.gate.closed():
        for _ in range(200):
            callers.submit(sealed(chain, issuer, anchors(issuer)))
    assert all(isinstance(answer, Added) for answer in callers.wait())
    log.integrate()
    assert len(log.view.blocks()) < 20


def test_what_stands_twice_in_a_group_is_added_once(
    chain: Consortium, issuer: Party, callers: Callers
) -> None:
    entries = anchors(issuer, 2)
    with chains(chain).door.gate.closed():
        callers.submit(sealed(chain, issuer, entries))
        callers.submit(sealed(chain, issuer, entries))
        callers.submit(sealed(chain, issuer, entries[:1]))
        callers.submit(sealed(chain, issuer, [*anchors(issuer), entries[1]]))
    first, again, part, mixed = callers.wait()
    assert first == Added((0, 1), repeated=False)
    assert again == Added((0, 1), repeated=True)
    assert part == Added((0,), repeated=True)
    assert isinstance(mixed, EntriesDuplicate)
    assert mixed.params["positions"] == [1]


def test_a_defect_at_one_submission_is_its_own(
    chain: Consortium, issuer: Party, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = chains(chain).door
    permit = door.permit

    def fails_once(*arguments: Any) -> None:
        monkeypatch.setattr(door, "permit", permit)
        raise ZeroDivisionError

    monkeypatch.setattr(door, "permit", fails_once)
    for _ in range(5):
        callers.submit(sealed(chain, issuer, anchors(issuer)))
    answers = callers.wait()
    assert [type(answer) for answer in answers] == [ZeroDivisionError] + 4 * [Added]
    chain.govern(resource())  # nobody was left inside the gate


def test_a_full_disk_refuses_all_of_a_commit_and_no_more(
    chain: Consortium, issuer: Party, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    from registry.errors import StoreFull

    log = chains(chain).log(callers.origin)
    append = log._store.append

    def full(_: Any) -> None:
        raise StoreFull(store="test")

    monkeypatch.setattr(log._store, "append", full)
    callers.submit(sealed(chain, issuer, anchors(issuer)))
    callers.submit(b"nonsense\n")
    full_disk, malformed = callers.wait()
    assert isinstance(full_disk, StoreFull)
    assert isinstance(malformed, EntryMalformed)
    monkeypatch.setattr(log._store, "append", append)
    assert chains(chain).add(callers.origin, sealed(chain, issuer, anchors(issuer))).indices == (0,)
    chain.govern(resource())


def test_rules_change_while_hundreds_add(
    chain: Consortium, issuer: Party, callers: Callers
) -> None:
    ended = threading.Event()

    def add() -> None:
        while not ended.is_set():
            entries = anchors(issuer)
            answer = chains(chain).add(callers.origin, sealed(chain, issuer, entries))
            assert not answer.repeated

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            chain.govern(resource(f"x-{number}"))
            chains(chain).tick()
    finally:
        ended.set()
        for thread in threads:
            thread.join(30)
    assert chains(chain).log(callers.origin).size > 0
    assert chain.settle()
    status = chain.sequencer.status()
    assert status["alarms"] == []


def test_rules_and_status_lists_go_aside(
    chain: Consortium, issuer: Party, callers: Callers
) -> None:
    digest = resource()["digest"]
    origin = chain.genesis.identity_origin
    newest = [
        status_entry(issuer.did, LIST, digest, chain.now + timedelta(minutes=m)) for m in (2, 1, 2)
    ]
    callers.submit(sealed(chain, issuer, newest[:1]))
    callers.wait()
    callers.told.clear()
    for entry in newest[1:]:
        callers.submit(sealed(chain, issuer, [entry]))
    callers.submit(sealed(chain, issuer, anchors(issuer)))
    older, repeated, added = callers.wait()
    assert isinstance(older, NotPermitted)
    assert repeated == Added((0,), repeated=True)
    assert isinstance(added, Added)
    other = chain.add_issuer("did:web:other.example")
    with pytest.raises(NotPermitted):
        chains(chain).add(origin, sealed(chain, other, [_of(other, newest[0])]))
    assert chain.settle()


def _of(party: Party, entry: Entry) -> Entry:
    return make_entry(
        "status",
        **{name: entry[name] for name in ("list", "digest", "time")},
        issuer=party.did,
    )


def test_status_lists_of_one_address_are_judged_one_after_the_other(
    chain: Consortium, issuer: Party, callers: Callers
) -> None:
    digest = resource()["digest"]
    for minute in range(1, 9):
        moment = chain.now + timedelta(seconds=minute)
        callers.submit(sealed(chain, issuer, [status_entry(issuer.did, LIST, digest, moment)]))
    answers = callers.wait()
    chain.settle()
    size = chains(chain).log(callers.origin).size
    times = [
        entry["time"]
        for entry in chain.client.entries(callers.origin, 0, size)
        if entry.kind == "status"
    ]
    assert times == sorted(times)
    assert len(times) == sum(isinstance(answer, Added) for answer in answers) >= 1
    refused = [answer for answer in answers if not isinstance(answer, Added)]
    assert all(isinstance(answer, NotPermitted) for answer in refused)


def test_what_waits_is_bounded(
    chain: Consortium, issuer: Party, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "MAX_CALLERS", 4)
    data = [sealed(chain, issuer, anchors(issuer)) for _ in range(5)]
    with chains(chain).door.gate.closed():
        for one in data[:4]:
            callers.submit(one)
        with pytest.raises(LogBusy):
            callers.door.submit(callers.origin, data[4], lambda _: None)
    assert all(isinstance(answer, Added) for answer in callers.wait())
    monkeypatch.setattr(door_module, "MAX_CALLERS_BYTES", len(data[0]))
    assert isinstance(chains(chain).add(callers.origin, data[4]), Added)
    with pytest.raises(LogBusy):
        callers.door.submit(callers.origin, data[4] * 2, lambda _: None)


def test_unknown_chains_do_not_get_in(callers: Callers) -> None:
    with pytest.raises(OriginUnknown):
        callers.door.submit("nowhere.example/main", b"", lambda _: None)


def test_whoever_waits_when_it_closes_is_answered(
    chain: Consortium, issuer: Party, callers: Callers
) -> None:
    for _ in range(50):
        callers.submit(sealed(chain, issuer, anchors(issuer)))
    callers.submit(sealed(chain, issuer, anchors(issuer)), chain.genesis.origin)
    callers.door.close()
    callers.door.close()
    with pytest.raises(LogClosed):
        callers.door.submit(callers.origin, b"", lambda _: None)
    answers = callers.wait()
    assert all(isinstance(answer, Added | RegistryError) for answer in answers)
    size = chains(chain).log(callers.origin).size
    assert size == 2 * sum(isinstance(answer, Added) for answer in answers[:-1])


def test_answers_mean_durable(chain: Consortium, issuer: Party, callers: Callers) -> None:
    seen: list[int] = []
    log: Log = chains(chain).log(callers.origin)

    def tell(answer: Answer) -> None:
        assert isinstance(answer, Added)
        seen.append(log._store.head().size - answer.indices[-1])

    for _ in range(50):
        callers.door.submit(callers.origin, sealed(chain, issuer, anchors(issuer)), tell)
    until(lambda: len(seen) == 50)
    assert min(seen) >= 2  # the entry and its seal are in the record


def test_the_gate_lets_nobody_in_while_it_is_closed() -> None:
    gate, order = Gate(), []
    gate.enter(2)

    def close() -> None:
        with gate.closed():
            order.append("closed")
            time.sleep(0.05)
            order.append("opens")

    def enter() -> None:
        gate.enter()
        order.append("in")

    closer = threading.Thread(target=close)
    closer.start()
    until(lambda: gate._closed)  # it comes first, and waits
    late = threading.Thread(target=enter)
    late.start()
    time.sleep(0.05)  # a moment in which it might get in
    assert order == []  # two are inside
    gate.leave()
    gate.leave()
    closer.join(10)
    late.join(10)
    assert order == ["closed", "opens", "in"]


def test_the_clock_of_seals_never_goes_back() -> None:
    moments = iter([START, START - timedelta(hours=1), START + timedelta(seconds=1)])
    clock = ForwardClock(lambda: next(moments), START - timedelta(days=1))
    assert [clock(), clock(), clock()] == [START, START, START + timedelta(seconds=1)]
