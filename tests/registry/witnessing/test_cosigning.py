"""What a log takes from the answers of witnesses: lines of their keys, on its text, with a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from credentials.dids import key_url
from registry.errors import CosignatureMissing, NodeBusy
from registry.simulation.adversaries import DishonestNode
from registry.simulation.simulator import Consortium
from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from registry.tlog.note import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSignature,
    NoteSigner,
)
from registry.tlog.policy import Policy
from registry.witnessing.cosigning import NodeState, exchange, lines_of
from tests.registry.submissions import resource

ORIGIN = "log.example/stock"
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
W1 = NoteSigner.from_seed("witness.example/w", b"\x02" * 32, ED25519_COSIGNATURE)
W2 = NoteSigner.from_seed("witness.example/w", b"\x03" * 32, ML_DSA_44)
STRANGER = NoteSigner.from_seed("witness.example/w", b"\x04" * 32, ED25519_COSIGNATURE)
KEYS = (W1.key, W2.key)


def signed(size: int = 5, root: bytes = bytes(32)) -> SignedCheckpoint:
    return open_checkpoint(Checkpoint(ORIGIN, size, root).sign(LOG), ORIGIN, [LOG.key])


TEXT = signed().checkpoint.text


def body(*lines: NoteSignature) -> bytes:
    return "".join(line.line() for line in lines).encode()


def test_lines_of_others_are_ignored() -> None:
    lines = [STRANGER.sign(TEXT, 9), W1.sign(TEXT, 9), W2.sign(TEXT, 9), LOG.sign(TEXT)]
    assert lines_of("w", KEYS, signed(), body(*lines)) == lines[1:3]
    assert lines_of("w", KEYS[:1], signed(), body(*lines)) == lines[1:2]


def test_a_line_without_a_time_does_not_stand_before_one_that_has_it() -> None:
    # Published, it would hide the other, and readers would find a quorum missing.
    timeless, timed, later = (W2.sign(TEXT, t) for t in (0, 50, 60))
    for lines in [(timeless, timed), (timed, timeless), (timeless, later, timed)]:
        [taken] = lines_of("w", KEYS, signed(), body(*lines))
        note = signed().note.text
        assert taken in {timed, later}
        whole = (note + "\n").encode() + body(LOG.sign(TEXT), taken)
        policy = Policy.k_of_n(1, {"w": KEYS}, [LOG.key])
        assert policy.check(whole).time_s == (60 if later in lines else 50)
    with pytest.raises(CosignatureMissing):
        lines_of("w", KEYS, signed(), body(timeless, W1.sign(TEXT, 0)))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n",
        b"\n" + body(W1.sign(TEXT, 9)),
        body(W1.sign(TEXT, 9))[:-1],
        body(W1.sign(TEXT, 9)).replace(b"\n", b"\r\n"),
        body(W1.sign(TEXT, 9)) + b"\n",
        body(W1.sign(TEXT, 9)) + b"more\n",
        body(STRANGER.sign(TEXT, 9)),
        body(W1.sign(TEXT, 9), W2.sign(signed(6).checkpoint.text, 9)),
        body(W1.sign(TEXT + "extension\n", 9)),
        b"more\n\n" + body(W1.sign(TEXT + "\nmore\n", 9)),  # of a text of its own
        b"\n" + body(W1.sign(TEXT + "\n", 9)),
        body(*[STRANGER.sign(TEXT, 9)] * 64, W1.sign(TEXT, 9)),
    ],
    ids=range(13),
)
def test_an_answer_that_is_none(answer: bytes) -> None:
    with pytest.raises(CosignatureMissing):
        lines_of("w", KEYS, signed(), answer)


class Scripted:
    """A witness that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        self.asked.append(body)
        return self.answers.pop(0)


def no_proof(old: int, new: int) -> Sequence[bytes]:
    return [bytes(32)] if 0 < old < new else []


def test_a_stale_size_is_put_right() -> None:
    good = (200, body(W1.sign(TEXT, 9)))
    link = Scripted((409, b"3\n"), good)
    node = NodeState("w", KEYS)
    assert exchange(node, link, signed(), no_proof)
    old = [asked.split(b"\n", 2) for asked in link.asked]
    assert [row[0] for row in old] == [b"old 0", b"old 3"]
    assert old[0][1] == b""
    assert old[1][1]  # the proof
    assert all(asked.endswith(signed().data) for asked in link.asked)


@pytest.mark.parametrize("size", [b"", b"x\n", b"03\n", b"-1\n", b"+3\n", b"9223372036854775808\n"])
def test_a_size_that_is_none(size: bytes) -> None:
    with pytest.raises(CosignatureMissing):
        exchange(NodeState("w", KEYS), Scripted((409, size)), signed(), no_proof)


def test_a_witness_that_is_ahead_or_never_content() -> None:
    with pytest.raises(CosignatureMissing):
        exchange(NodeState("w", KEYS), Scripted((409, b"6\n")), signed(), no_proof)
    with pytest.raises(NodeBusy):
        exchange(
            NodeState("w", KEYS), Scripted(*[(409, b"1\n"), (409, b"2\n")] * 2), signed(), no_proof
        )
    for status in (202, 400, 403, 404, 422, 500, 503):
        node = NodeState("w", KEYS)
        with pytest.raises(CosignatureMissing):
            exchange(node, Scripted((status, body(W1.sign(TEXT, 9)))), signed(), no_proof)
        assert (node.refused, node.unknown) == (status == 422, status == 404)


# --- one dishonest node -------------------------------------------------------------------------


def another_text(signer: NoteSigner, text: str, moment: int) -> bytes:
    more = "more\n"
    return more.encode() + b"\n" + body(signer.sign(f"{text}\n{more}", moment))


def without_and_with_a_time(signer: NoteSigner, text: str, moment: int) -> bytes:
    return body(signer.sign(text, 0), signer.sign(text, moment))


def twice(signer: NoteSigner, text: str, moment: int) -> bytes:
    return body(signer.sign(text, moment), signer.sign(text, moment))


def from_the_future(signer: NoteSigner, text: str, moment: int) -> bytes:
    return body(signer.sign(text, moment + 3600))


def from_the_end_of_time(signer: NoteSigner, text: str, moment: int) -> bytes:
    return body(signer.sign(text, 2**63 - 1))


class Trickster(DishonestNode):
    """A node whose answers are to spoil the checkpoints that bear them."""

    def __init__(
        self, chain: Consortium, name: str, trick: Callable[[NoteSigner, str, int], bytes]
    ) -> None:
        super().__init__(chain, name)
        self.trick = trick

    def cosign(self, note: bytes) -> bytes:
        return self.trick(self._signer, Note.parse(note).text, int(self.chain.now.timestamp()))


@pytest.mark.parametrize(
    "trick",
    [another_text, without_and_with_a_time, twice, from_the_future, from_the_end_of_time],
)
def test_one_dishonest_node_cannot_stop_the_chain(
    tmp_path: Path, trick: Callable[[NoteSigner, str, int], bytes]
) -> None:
    with Consortium(tmp_path) as chain:
        Trickster(chain, next(iter(chain.nodes)), trick)
        for _ in range(3):
            chain.add_issuer()
            for _ in range(3):
                chain.sequencer.step()
            assert chain.settle()
            cosigned = chain.client.cosigned()
            assert cosigned.size == chain.sequencer.chains.main.view.size
            policy = chain.genesis.policy
            assert len(policy.check(cosigned.main.data).cosigners) >= chain.genesis.quorum


@pytest.mark.parametrize("trick", [from_the_future, from_the_end_of_time])
def test_a_quorum_that_readers_would_not_count_is_none(
    tmp_path: Path, trick: Callable[[NoteSigner, str, int], bytes]
) -> None:
    with Consortium(tmp_path) as chain:
        first, *_, last = chain.nodes
        chain.add_issuer()
        assert chain.settle()
        before = chain.client.cosigned().size
        Trickster(chain, first, trick)
        chain.stop_node(last)
        chain.client.submit(
            chain.genesis.origin,
            [resource()],
            chain.keys.operator,
            key_url(chain.keys.operator.public_key),
        )
        assert not chain.sequencer.step(patient=True)
        status = chain.sequencer.status()
        assert not status["main"]["current"]
        errors = {node["name"]: node["error"] for node in status["nodes"]}
        assert errors[first] is not None
        assert any("quorum" in str(alarm) for alarm in status["alarms"])
        assert chain.client.cosigned().size == before  # readers go on with what they can count
        chain.start_node(last)
        assert chain.sequencer.step(patient=True)
        assert chain.client.cosigned().size == chain.sequencer.chains.main.view.size


def test_a_wrong_clock_of_the_sequencer_keeps_no_quorum_from_being_seen(tmp_path: Path) -> None:
    with Consortium(tmp_path) as chain:
        chain.add_issuer()
        late = chain.now - timedelta(hours=1)
        chain.sequencer._cosigning._now = lambda: late
        chain.client.submit(
            chain.genesis.origin,
            [resource()],
            chain.keys.operator,
            key_url(chain.keys.operator.public_key),
        )
        assert chain.sequencer.step(patient=True)
        assert [node["error"] for node in chain.sequencer.status()["nodes"]] == [None] * 4
        assert chain.client.cosigned().size == chain.sequencer.chains.main.view.size
