"""The monitor: fine is fine, and each thing that should not be raises its alarm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from registry.contracts.following import Follower
from registry.errors import EvidenceInvalid, StoreLocked, WatchDamaged, WatchForeign
from registry.ledger.entries import anchor_entry, make_entry
from registry.ledger.members import encode_digest
from registry.sequencing.chain import Chains
from registry.simulation.simulator import URL, Consortium, Party
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.tiles import frame_entries
from registry.trust.evidence import Fork
from registry.watching.alarms import Limits, Round
from registry.watching.monitor import Monitor
from registry.watching.state import FILE
from schemas.errors import ExitCode
from tests.registry.side_chains import side_chain

TWIN = "http://twin.invalid"
Change = Callable[[str, bytes], bytes]


class Liar:
    """An ASGI application before another one that changes what it answers."""

    def __init__(self, app: Any, change: Change) -> None:
        self.app, self.change = app, change
        self.state = getattr(app, "state", None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        head: dict[str, Any] = {}
        body = bytearray()

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                data = self.change(scope["path"], bytes(body))
                headers = [h for h in head["headers"] if h[0].lower() != b"content-length"]
                await send({**head, "headers": headers})
                await send({"type": "http.response.body", "body": data})

        await self.app(scope, receive, collect)


def digest(number: int) -> bytes:
    return sha256(f"monitor {number}".encode()).digest()


class Town:
    """A consortium, and a monitor of it in a folder that lasts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chain = Consortium(folder / "town")
        self.issuer: Party = self.chain.add_issuer()
        self.count = 0

    def anchor(self, entries: int = 3, *, settle: bool = True) -> None:
        rows = [anchor_entry(self.issuer.did, digest(self.count + n)) for n in range(entries)]
        self.count += entries
        origin = self.chain.genesis.identity_origin
        self.chain.client.submit(origin, rows, self.issuer.key, self.issuer.key_url)
        if settle:
            self.chain.settle()

    def look(self, *urls: str, **options: Any) -> Round:
        """One run, as cron does it: a new monitor on the same folder."""
        with self.monitor(*urls, **options) as monitor:
            return monitor.look()

    @contextmanager
    def monitor(self, *urls: str, **options: Any) -> Iterator[Monitor]:
        """One that goes on looking."""
        with closing(
            Monitor(
                self.chain.genesis,
                urls or (URL,),
                self.folder / "state",
                now=lambda: self.chain.now,
                transport=self.chain.transport,
                **options,
            )
        ) as monitor:
            yield monitor

    def lie(self, change: Change, host: str = "registry.invalid") -> None:
        apps = self.chain.transport.apps
        apps[host] = Liar(apps[host], change)  # type: ignore[assignment]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    found = Town(tmp_path)
    yield found
    found.chain.close()


def kinds(found: Round) -> list[str]:
    return [alarm.kind for alarm in found.alarms]


NODES = tuple(
    f"http://{name}.invalid"
    for name in ("data-resources", "public-security", "market-regulation", "human-resources")
)


@pytest.mark.parametrize("full", [False, True])
def test_a_healthy_network_is_fine_again_and_again(town: Town, full: bool) -> None:
    for _ in range(3):
        town.anchor(300)
        found = town.look(URL, *NODES, full=full)
        assert found.alarms == []
        assert found.exit_code is ExitCode.DONE
    identity = found.chains[town.chain.genesis.identity_origin]
    assert identity["size"] == identity["anchored"] == 903
    assert set(found.addresses) == {URL, *NODES}
    json.dumps(found.to_json())


def test_the_record_is_of_one_network_and_one_monitor(town: Town, tmp_path: Path) -> None:
    town.look()
    monitor = Monitor(town.chain.genesis, [URL], town.folder / "state", now=lambda: town.chain.now)
    with pytest.raises(StoreLocked):
        town.look()
    monitor.close()
    with (
        Consortium(tmp_path / "other", network="other.example") as other,
        pytest.raises(WatchForeign),
    ):
        Monitor(other.genesis, [URL], town.folder / "state", now=lambda: other.now)
    (town.folder / "state" / FILE).write_text("{")
    with pytest.raises(WatchDamaged):
        town.look()


# Forks


@pytest.fixture
def twin(town: Town, tmp_path: Path) -> Iterator[Consortium]:
    """The same keys and genesis, and another history."""
    with Consortium(tmp_path / "twin") as found:
        assert found.genesis == town.chain.genesis
        found.add_issuer("did:web:false.example")
        town.chain.transport.apps["twin.invalid"] = found.transport.apps["registry.invalid"]
        yield found


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("order", [(URL, TWIN), (TWIN, URL)])
def test_a_fork_between_addresses_is_proved(
    town: Town, twin: Consortium, ahead: bool, order: tuple[str, str]
) -> None:
    if ahead:
        town.anchor()
    found = town.look(*order)
    assert "fork" in kinds(found)
    assert found.exit_code is ExitCode.REJECTED
    [path] = {alarm.evidence for alarm in found.alarms if alarm.kind == "fork"}
    assert path is not None
    fork = Fork.parse(path.read_bytes())
    older, newer = fork.verify(town.chain.genesis)
    assert older.origin == town.chain.genesis.origin
    assert (older.size < newer.size) is ahead
    # It goes on alarming; where the honest tree came first, until the evidence is taken away.
    assert town.look(URL).exit_code is ExitCode.REJECTED
    path.unlink()
    again = town.look(URL).exit_code
    assert again is (ExitCode.DONE if order[0] == URL else ExitCode.REJECTED)


def test_a_history_that_is_rewritten_at_one_address_is_proved(town: Town, twin: Consortium) -> None:
    assert town.look().alarms == []
    for n in range(4):
        twin.add_issuer(f"did:web:more{n}.example")
    town.chain.transport.apps["registry.invalid"] = twin.transport.apps["registry.invalid"]
    found = town.look()
    assert "fork" in kinds(found)
    assert found.exit_code is ExitCode.REJECTED


def test_a_fork_of_a_side_chain_is_proved(town: Town, tmp_path: Path) -> None:
    """The main chain is the same, the side chain's log has signed another tree."""
    town.anchor(2)
    origin = town.chain.genesis.identity_origin
    assert town.look().alarms == []
    side = town.chain.sequencer.chains.logs[origin]
    forged = Checkpoint(origin, side.size, digest(1)).sign(
        town.chain.keys.sequencer(town.chain.genesis.network).signer(origin)
    )
    town.lie(lambda path, data: forged if path == f"/{origin}/checkpoint" else data)
    found = town.look()
    assert "fork" in kinds(found)
    path = next(alarm.evidence for alarm in found.alarms if alarm.kind == "fork")
    assert path is not None
    older, newer = Fork.parse(path.read_bytes()).verify(town.chain.genesis)
    assert older.origin == newer.origin == origin


def test_false_evidence_proves_nothing(town: Town, twin: Consortium) -> None:
    town.anchor()
    found = town.look(URL, TWIN)
    path = next(alarm.evidence for alarm in found.alarms if alarm.kind == "fork")
    assert path is not None
    told = json.loads(path.read_bytes())

    def refused(**changed: Any) -> str:
        data = json.dumps({**told, **changed}).encode()
        with pytest.raises(EvidenceInvalid) as caught:
            Fork.parse(data).verify(town.chain.genesis)
        return str(caught.value.params["reason"])

    assert refused(newer=told["older"], left=[], right=[]) == "the two statements agree"
    assert "wrong order" in refused(newer=told["older"], older=told["newer"])
    assert "another number" in refused(left=told["left"][1:])
    assert "larger tree" in refused(left=told["left"][::-1])
    assert "another format" in refused(format="x")
    changed = told["older"]["note"].replace("\n\n", "\nx\n\n")
    assert refused(older={**told["older"], "note": changed})


# Dishonest or broken addresses


def test_a_log_that_shrank(town: Town) -> None:
    origin = town.chain.genesis.origin
    old = town.chain.sequencer.reader.checkpoint(origin)
    town.anchor()
    assert town.look().alarms == []
    town.lie(lambda path, data: old if path == f"/{origin}/checkpoint" else data)
    found = town.look()
    assert kinds(found) == ["shrank"]
    assert found.exit_code is ExitCode.REJECTED


def without(*names: str) -> Change:
    def change(path: str, data: bytes) -> bytes:
        if not path.endswith("/main/checkpoint"):
            return data
        lines = data.decode().split("\n")
        return "\n".join(
            line for line in lines if not any(f"/nodes/{name} " in line for name in names)
        ).encode()

    return change


def test_a_checkpoint_without_its_quorum(town: Town) -> None:
    assert town.look().alarms == []
    town.lie(without("data-resources", "public-security"))
    found = town.look()
    assert kinds(found) == ["quorum"]
    assert found.exit_code is ExitCode.UNDETERMINED


@pytest.mark.parametrize(
    "pattern", [r"/main/checkpoint$", r"/identity/cosigned$", r"/identity/checkpoint$"]
)
def test_answers_that_do_not_verify(town: Town, pattern: str) -> None:
    town.anchor()

    def change(path: str, data: bytes) -> bytes:
        if not re.search(pattern, path):
            return data
        return re.sub(
            rb"\n(\d+)\n", lambda m: b"\n" + str(int(m[1]) + 1).encode() + b"\n", data, count=1
        )

    town.lie(change)
    found = town.look()
    assert "forged" in kinds(found)
    assert found.exit_code is ExitCode.REJECTED


# Whatever an address shows ends in an alarm, and the others are asked all the same.


def test_entries_in_no_form_do_not_end_the_look(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal is sought among the entries that wait for the main chain."""
    _idle(monkeypatch)
    town.anchor(settle=False)
    origin = town.chain.genesis.identity_origin
    town.chain.sequencer.chains.logs[origin].tick()
    bundle = frame_entries([b"no entry"] * 4)
    town.lie(lambda path, data: b"".join(bundle) if f"/{origin}/tile/entries/" in path else data)
    found = town.look(URL, *NODES)
    assert kinds(found) == ["forged"]
    assert found.addresses.keys() == {URL, *NODES}


def test_a_bundle_that_is_newer_than_the_checkpoint_is_no_forgery(town: Town) -> None:
    """Between two requests a chain may be registered: its key is learned at the next look."""
    town.anchor()
    held: dict[str, bytes] = {}
    main = town.chain.genesis.origin

    def change(path: str, data: bytes) -> bytes:
        return held.setdefault(path, data) if path == f"/{main}/checkpoint" else data

    town.lie(change)
    assert town.look().alarms == []
    town.chain.govern(side_chain(town.chain, "later"))
    town.chain.settle()
    (town.folder / "state" / "monitor.json").unlink()
    assert [kind for kind in kinds(town.look()) if kind == "forged"] == []
    held.clear()
    assert town.look().alarms == []


@pytest.mark.parametrize(
    ("said", "spoilt"),
    [
        ("forged", lambda data: data.replace(b'"v":1', b'"v":7')),
        ("unreachable", lambda data: bytes(len(data))),
    ],
    ids=["other-entries", "no-entries"],
)
def test_who_hides_the_proof_of_a_key_hides_no_fork(
    town: Town, said: str, spoilt: Callable[[bytes], bytes]
) -> None:
    """The liar's entries of the main chain prove no key; then the side chain's log forks."""
    town.anchor(2)
    main, origin = town.chain.genesis.origin, town.chain.genesis.identity_origin
    forged = Checkpoint(origin, town.chain.sequencer.chains.logs[origin].size, digest(1)).sign(
        town.chain.keys.sequencer(town.chain.genesis.network).signer(origin)
    )
    shown = {"fork": False}

    def change(path: str, data: bytes) -> bytes:
        if f"/{main}/tile/entries/" in path:
            return spoilt(data)
        return forged if shown["fork"] and path == f"/{origin}/checkpoint" else data

    town.lie(change)
    with town.monitor() as monitor:
        assert said in kinds(monitor.look())
        shown["fork"] = True
        found = monitor.look()
    assert {said, "fork"} <= set(kinds(found))
    # The proof of the key comes from an honest address, and with it the evidence.
    found = town.look(*NODES[:1], URL)
    paths = {alarm.evidence for alarm in found.alarms if alarm.kind == "fork"}
    assert paths
    for path in paths:
        assert path is not None
        assert Fork.parse(path.read_bytes()).verify(town.chain.genesis)


def test_tiles_that_do_not_lead_to_the_checkpoint(town: Town) -> None:
    town.anchor()
    assert town.look().alarms == []
    town.anchor()
    town.lie(lambda path, data: bytes(len(data)) if "/tile/0/" in path else data)
    found = town.look()
    assert set(kinds(found)) == {"forged"}
    assert found.exit_code is ExitCode.REJECTED


def test_an_address_that_does_not_answer(town: Town) -> None:
    assert town.look(URL, TWIN).exit_code is ExitCode.UNDETERMINED
    found = town.look(TWIN)
    assert kinds(found) == ["unreachable"]


# Time


def test_a_stall(town: Town) -> None:
    assert town.look().alarms == []
    town.chain.advance(seconds=301)
    found = town.look()
    assert "stall" in kinds(found)
    assert found.exit_code is ExitCode.UNDETERMINED
    assert town.look(limits=Limits(stall_s=400)).alarms == []
    town.chain.settle()
    assert town.look().alarms == []


def test_a_node_that_lags(town: Town) -> None:
    assert town.look().alarms == []
    town.chain.stop_node("public-security")
    town.chain.advance(seconds=400)
    town.chain.settle()
    found = town.look()
    assert kinds(found) == ["lag"]
    assert found.alarms[0].params["node"] == "public-security"
    town.chain.start_node("public-security")
    town.chain.settle()
    assert town.look().alarms == []


def _idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequencer that no longer commits to its side chains."""
    for name in ("_checkpoint_sides", "checkpoint_sides"):
        if hasattr(Chains, name):
            monkeypatch.setattr(Chains, name, lambda *_args, **_named: None)


def test_missing_anchors(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    town.anchor()
    assert town.look().alarms == []
    _idle(monkeypatch)
    town.anchor(settle=False)
    town.chain.sequencer.chains.logs[town.chain.genesis.identity_origin].tick()
    assert town.look().alarms == []  # it has just come
    town.chain.advance(seconds=100)
    # While no quorum moves, nobody can tell whether the sequencer leaves them out.
    found = town.look()
    assert (kinds(found), found.exit_code) == (["missing-anchor"], ExitCode.UNDETERMINED)
    town.chain.settle()
    found = town.look()
    assert (kinds(found), found.exit_code) == (["missing-anchor"], ExitCode.REJECTED)
    monkeypatch.undo()
    town.chain.settle()
    assert town.look().alarms == []


def test_missing_anchors_are_seen_by_a_first_look(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _idle(monkeypatch)
    town.anchor(settle=False)
    town.chain.sequencer.chains.logs[town.chain.genesis.identity_origin].tick()
    town.chain.advance(minutes=7)
    town.chain.settle()
    assert "missing-anchor" in kinds(town.look())


# What nodes refuse, and what they should have refused


def test_refused_entries_are_told_once(town: Town) -> None:
    refusal = {
        "time": "2026-11-22T08:59:00Z",
        "code": "ZL-CHAIN-INVALID",
        "reason": "not permitted",
    }

    def change(path: str, data: bytes) -> bytes:
        if path != "/status":
            return data
        return json.dumps({**json.loads(data), "refusals": [refusal]}).encode()

    town.lie(change, "data-resources.invalid")
    found = town.look(NODES[0])
    assert kinds(found) == ["refused"]
    assert found.exit_code is ExitCode.UNDETERMINED
    assert town.look(NODES[0]).alarms == []


def test_a_refusal_in_the_far_future_hides_none_after_it(town: Town) -> None:
    refusals = [{"time": "9999-01-01T00:00:00Z", "reason": "a trick"}]

    def change(path: str, data: bytes) -> bytes:
        if path != "/status":
            return data
        return json.dumps({**json.loads(data), "refusals": refusals}).encode()

    town.lie(change, "data-resources.invalid")
    assert kinds(town.look(NODES[0])) == ["refused"]
    refusals[:] = [{"time": "2026-11-22T08:59:00Z", "reason": "not permitted"}]
    assert kinds(town.look(NODES[0])) == ["refused"]
    assert town.look(NODES[0]).alarms == []


def test_a_node_that_refuses_is_told_by_the_sequencer(town: Town) -> None:
    def change(path: str, data: bytes) -> bytes:
        if path != "/status":
            return data
        told = json.loads(data)
        told["nodes"][0].update(refused=True, error="HTTP 422: it is not permitted")
        return json.dumps(told).encode()

    town.lie(change)
    assert kinds(town.look()) == ["refused"]


def test_a_wrong_batch_that_a_dishonest_quorum_cosigned(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.anchor()
    monkeypatch.setattr(Follower, "_follow_side", lambda *_args, **_named: None)
    real = make_entry

    def wrong(kind: str, /, **members: Any) -> Any:
        if kind == "checkpoint":
            members["subtree"] = encode_digest(digest(7))
        return real(kind, **members)

    monkeypatch.setattr("registry.sequencing.chain.make_entry", wrong)
    town.anchor()
    found = town.look()
    assert kinds(found) == ["commitment"]
    assert found.exit_code is ExitCode.REJECTED


def test_an_entry_that_a_dishonest_quorum_let_in(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert town.look(full=True).alarms == []
    with monkeypatch.context() as patch:
        for judge in ("registry.sequencing.door", "registry.contracts.following"):
            patch.setattr(f"{judge}.permit", lambda *_args, **_named: None)
        town.chain.client.submit(
            town.chain.genesis.identity_origin,
            [anchor_entry("did:web:nobody.example", digest(1))],
            town.issuer.key,
            "did:web:nobody.example#key-1",
        )
        town.chain.settle()
    assert town.look().alarms == []  # without a mirror it takes the nodes' word
    found = town.look(full=True)
    assert kinds(found) == ["invalid-entry"]
    assert found.exit_code is ExitCode.REJECTED
    evidence = found.alarms[0].evidence
    assert evidence is not None
    assert json.loads(evidence.read_bytes())["leaves"]


def test_an_address_that_shows_other_entries_is_not_blamed_on_the_chain(town: Town) -> None:
    town.lie(lambda path, data: data[:-3] if "/tile/entries/" in path else data)
    found = town.look(full=True)
    assert found.exit_code is ExitCode.UNDETERMINED
    town.chain.transport.apps["registry.invalid"] = town.chain.transport.apps[
        "registry.invalid"
    ].app

    def change(path: str, data: bytes) -> bytes:
        return data.replace(b'"quorum":3', b'"quorum":4') if "/tile/entries/" in path else data

    town.lie(change)
    found = town.look(full=True)
    assert kinds(found) == ["forged"]
