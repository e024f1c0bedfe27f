"""The witness protocol: each answer that tlog-witness prescribes, and nothing lost by a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from registry.errors import ChainInvalid, StoreFull, StoreLocked
from registry.tlog.checkpoint import Checkpoint, SignedCheckpoint, open_checkpoint
from registry.tlog.lines import encode_hash
from registry.tlog.merkle import EMPTY_ROOT, LeafReader, consistency_proof, root_of
from registry.tlog.note import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSigner,
    check_subtree,
)
from registry.tlog.subtrees import subtree_consistency_proof
from registry.witnessing.witness import SIZE_TYPE, Answer, CheckpointRequest, Cosigned, Witness
from registry.witnessing.witness_api import add_witness_routes
from registry.witnessing.witness_store import WitnessStore

ORIGIN = "log.example/stock"
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
LOG_PQ = NoteSigner.from_seed(ORIGIN, b"\x02" * 32, ML_DSA_44)
STRANGER = NoteSigner.from_seed(ORIGIN, b"\x03" * 32)
W1 = NoteSigner.from_seed("witness.example/w", b"\x04" * 32, ED25519_COSIGNATURE)
W2 = NoteSigner.from_seed("witness.example/w", b"\x05" * 32, ML_DSA_44)
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
LEAVES = [sha256(bytes([i])).digest() for i in range(40)]
OTHER = [sha256(bytes([99, i])).digest() for i in range(40)]


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "witness.sqlite"
        self.now = NOW
        self.open()

    def open(self) -> None:
        self.store = WitnessStore(self.path)
        self.witness = Witness(
            self.store, [W1, W2], {ORIGIN: [LOG.key, LOG_PQ.key]}, now=lambda: self.now
        )

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def add(self, *args: object, **kwargs: object) -> Answer:
        return self.witness.add_checkpoint(request(*args, **kwargs))  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


def request(
    old: int,
    size: int,
    leaves: list[bytes] = LEAVES,
    *,
    signers: tuple[NoteSigner, ...] = (LOG,),
    proof: list[bytes] | None = None,
    root: bytes | None = None,
    origin: str = ORIGIN,
) -> bytes:
    if proof is None:
        proof = consistency_proof(old, size, LeafReader(leaves)) if 0 < old <= size else []
    checkpoint = Checkpoint(origin, size, root or root_of(leaves[:size]))
    lines = [f"old {old}", *(encode_hash(h) for h in proof), "", ""]
    return "\n".join(lines).encode() + checkpoint.sign(*signers)


def test_both_keys_cosign_the_first_checkpoint(world: World) -> None:
    answer = world.add(0, 5)
    assert answer.status == 200
    text = Checkpoint(ORIGIN, 5, root_of(LEAVES[:5])).text
    note = Note.parse(text.encode() + b"\n" + answer.body)
    verified = note.verify([W1.key, W2.key])
    assert [s.key for s in verified.signatures] == [W1.key, W2.key]
    assert {s.timestamp for s in verified.signatures} == {int(NOW.timestamp())}


def test_a_tree_that_grows_is_cosigned_again_and_again(world: World) -> None:
    for old, size in [(0, 1), (1, 2), (2, 2), (2, 7), (7, 33), (33, 40)]:
        assert world.add(old, size).status == 200


def test_a_log_that_signs_by_ml_dsa_alone_is_known(world: World) -> None:
    assert world.add(0, 5, signers=(LOG_PQ,)).status == 200
    assert world.add(5, 6, signers=(LOG, LOG_PQ)).status == 200


REST = request(0, 5).removeprefix(b"old 0")


WRONG = b"+0,-0, 0,0 ,00,0x0,0\r,0_0,\xd9\xa0,,1e1,9223372036854775808,18446744073709551616"


@pytest.mark.parametrize("old", [*WRONG.split(b","), b"9" * 5000], ids=range(14))
def test_one_spelling_of_a_number(world: World, old: bytes) -> None:
    assert world.witness.add_checkpoint(b"old " + old + REST).status == 400


def test_the_largest_numbers(world: World) -> None:
    # tlog-witness, "add-checkpoint": 400 when the old size is the greater one, not sooner.
    assert world.witness.add_checkpoint(b"old %d" % (2**63 - 1) + REST).status == 400
    assert world.witness.add_checkpoint(b"old 5" + REST).status == 409
    most = Checkpoint(ORIGIN, 2**63 - 1, bytes(32))
    assert world.witness.add_checkpoint(b"old 0\n\n" + most.sign(LOG, LOG_PQ)).status == 200
    answer = world.add(0, 5)
    assert (answer.status, answer.body) == (409, b"%d\n" % (2**63 - 1))
    again = b"old %d\n\n" % (2**63 - 1) + most.sign(LOG, LOG_PQ)
    assert world.witness.add_checkpoint(again).status == 200


def test_proofs_as_long_as_they_may_be(world: World) -> None:
    world.add(0, 5)
    assert world.add(5, 9, proof=[bytes(32)] * 63).status == 422
    assert world.add(5, 9, proof=[bytes(32)] * 64).status == 400


def test_404_for_an_unknown_log(world: World) -> None:
    assert world.add(0, 5, origin="log.example/else").status == 404


def test_403_without_a_valid_signature_of_the_log(world: World) -> None:
    assert world.add(0, 5, signers=(STRANGER,)).status == 403
    good = Checkpoint(ORIGIN, 5, root_of(LEAVES[:5]))
    forged = Checkpoint(ORIGIN, 6, root_of(LEAVES[:6])).sign(LOG).decode().split("\n\n")[1]
    body = f"old 0\n\n{good.text}\n{forged}".encode()
    assert world.witness.add_checkpoint(body).status == 403
    # One that is known and wrong spoils the right one beside it (signed-note).
    right = good.sign(LOG_PQ).decode().split("\n\n")[1]
    body = f"old 0\n\n{good.text}\n{right}{forged}".encode()
    assert world.witness.add_checkpoint(body).status == 403


def test_400_when_the_old_size_is_greater(world: World) -> None:
    assert world.add(6, 5).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 0\n\n",
        b"old 00\n\n" + request(0, 1).partition(b"\n\n")[2],
        b"old -1\n\n" + request(0, 1).partition(b"\n\n")[2],
        b"new 0\n\n" + request(0, 1).partition(b"\n\n")[2],
        b"old 0\nnot base64\n\n" + request(0, 1).partition(b"\n\n")[2],
        b"old 0\n" + (encode_hash(bytes(32)) + "\n").encode() * 64 + b"\nx\n",
        b"old 0\n\nno note",
        b"old 0\n\n" + Note("a\nb\nc\n", (LOG.sign("a\nb\nc\n"),)).encode(),
        b"old 0\n\n" + b"x" * (1 << 20),
    ],
)
def test_400_for_what_is_no_request(world: World, body: bytes) -> None:
    assert world.witness.add_checkpoint(body).status == 400


def test_409_tells_the_size(world: World) -> None:
    world.add(0, 5)
    for old in (0, 4):
        answer = world.add(old, 9)
        assert (answer.status, answer.body, answer.content_type) == (409, b"5\n", SIZE_TYPE)
    # Before anything was cosigned the size is zero.
    fresh = world.add(6, 9, origin=ORIGIN)
    assert (fresh.status, fresh.body) == (409, b"5\n")


def test_409_before_the_first(world: World) -> None:
    answer = world.add(3, 9)
    assert (answer.status, answer.body) == (409, b"0\n")


def test_422_for_a_proof_that_does_not_hold(world: World) -> None:
    world.add(0, 5)
    assert world.add(5, 9, OTHER).status == 422
    assert world.add(5, 9, proof=[]).status == 422
    assert world.add(5, 9, proof=[bytes(32)]).status == 422
    assert len(world.store.refusals()) == 2  # one of them twice
    # What was cosigned is no evidence against anybody.
    assert world.add(5, 5, proof=[bytes(32)]).status == 422
    assert len(world.store.refusals()) == 2


def test_422_for_a_proof_from_nothing(world: World) -> None:
    assert world.add(0, 5, proof=[bytes(32)]).status == 422


def test_422_for_another_tree_of_one_size(world: World) -> None:
    world.add(0, 5)
    assert world.add(5, 5, OTHER).status == 422
    assert world.add(5, 5).status == 200


def test_an_empty_tree_has_the_root_of_nothing(world: World) -> None:
    assert world.add(0, 0, root=EMPTY_ROOT).status == 200
    text = f"{ORIGIN}\n0\n{encode_hash(bytes(32))}\n"
    body = b"old 0\n\n" + Note(text, (LOG.sign(text),)).encode()
    assert world.witness.add_checkpoint(body).status == 422
    assert world.add(0, 5).status == 200


def test_extension_lines_are_cosigned_by_ed25519_alone(world: World) -> None:
    checkpoint = Checkpoint(ORIGIN, 5, root_of(LEAVES[:5]), ("more",))
    body = b"old 0\n\n" + checkpoint.sign(LOG)
    answer = world.witness.add_checkpoint(body)
    assert answer.status == 200
    assert answer.body.decode().count("\u2014") == 1
    Note.parse(checkpoint.text.encode() + b"\n" + answer.body).verify([W1.key])
    only = Witness(world.store, [W2], {ORIGIN: [LOG.key]})
    body = b"old 5\n\n" + checkpoint.sign(LOG)
    assert only.add_checkpoint(body).status == 422


def test_a_log_of_a_long_name_is_cosigned_by_ed25519_alone(world: World) -> None:
    # tlog-cosignature, "ML-DSA-44 signed message": `log_origin<1..2^8-1>`, in bytes.
    for name, able in (("l" * 255, 2), ("l" * 256, 1), ("\u5bc6" * 85, 2), ("\u5bc6" * 86, 1)):
        key = NoteSigner.from_seed(name, b"\x01" * 32)
        witness = Witness(world.store, [W1, W2], {name: [key.key]})
        answer = witness.add_checkpoint(request(0, 5, origin=name, signers=(key,)))
        assert answer.status == 200
        text = Checkpoint(name, 5, root_of(LEAVES[:5])).text
        verified = Note.parse(text.encode() + b"\n" + answer.body).verify([W1.key, W2.key])
        assert len(verified.signatures) == able
    key = NoteSigner.from_seed("l" * 257, b"\x01" * 32)
    only = Witness(world.store, [W2], {key.key.name: [key.key]})
    assert only.add_checkpoint(request(0, 5, origin=key.key.name, signers=(key,))).status == 422


def test_strangers_cannot_drive_out_evidence(world: World) -> None:
    world.add(0, 5)
    assert world.add(5, 9, OTHER).status == 422
    for stranger in range(20):  # what is published, with a proof that is none and a line of theirs
        signer = NoteSigner.from_seed("stranger.example", bytes([stranger]) * 32)
        answer = world.add(5, 9, signers=(LOG, LOG, signer), proof=[bytes([stranger]) * 32])
        assert answer.status == 422
    with world.store._file.reading() as db:
        kept = [bytes(note) for (note,) in db.execute("SELECT note FROM refusals ORDER BY id")]
    assert len(kept) <= 3
    for held in kept:
        assert [line.name for line in Note.parse(held).signatures] == [ORIGIN]
    roots = {Checkpoint.parse(Note.parse(held).text).root for held in kept}
    assert root_of(OTHER[:9]) in roots


def test_the_verdict_stands_without_its_evidence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(0, 5)

    def full(*_: object) -> None:
        raise StoreFull(store="witness")

    monkeypatch.setattr(world.store, "record_refusal", full)
    assert world.add(5, 9, OTHER).status == 422


def test_the_check_decides_last(world: World) -> None:
    seen: list[int] = []

    def check(signed: SignedCheckpoint) -> None:
        seen.append(signed.size)
        raise ChainInvalid(origin=ORIGIN, index=3, reason="not permitted")

    answer = world.witness.add_checkpoint(request(0, 5), check)
    assert answer.status == 422
    assert b"not permitted" in answer.body
    assert world.witness.add_checkpoint(request(4, 5), check).status == 409
    assert seen == [5]

    def ill(_: SignedCheckpoint) -> None:
        raise StoreFull(store="mirror")

    assert world.witness.add_checkpoint(request(0, 5), ill).status == 503
    assert len(world.store.refusals()) == 1  # a full disk is no evidence
    assert world.witness.add_checkpoint(request(0, 5), lambda _: None).status == 200


def test_a_record_outlives_the_process(world: World) -> None:
    world.add(0, 5)
    world.reopen()
    assert world.add(0, 6).status == 409
    assert world.add(5, 6).status == 200
    with pytest.raises(StoreLocked):
        WitnessStore(world.path)


def test_a_clock_that_goes_back_does_not_take_the_time_back(world: World) -> None:
    world.add(0, 5)
    world.now = datetime(2000, 1, 1, tzinfo=UTC)
    answer = world.add(5, 5)
    note = Note.parse(
        Checkpoint(ORIGIN, 5, root_of(LEAVES[:5])).text.encode() + b"\n" + answer.body
    )
    stamps = {s.timestamp for s in note.verify([W1.key, W2.key]).signatures}
    assert stamps == {int(NOW.timestamp())}


def test_of_many_at_once_no_two_trees_of_one_size(world: World) -> None:
    world.add(0, 5)
    answers: list[int] = []

    def ask(leaves: list[bytes]) -> None:
        answers.append(world.witness.add_checkpoint(request(5, 9, leaves)).status)

    mixed = LEAVES[:5] + OTHER[5:]
    threads = [threading.Thread(target=ask, args=(chosen,)) for chosen in (LEAVES, mixed) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(200) == 1
    assert answers.count(409) == 7


def test_the_record_itself_compares(world: World) -> None:
    world.add(0, 5)
    latest = world.store.cosigned(ORIGIN)
    newer = Cosigned(9, root_of(LEAVES[:9]), b"x", 1)
    assert not world.store.cosign(ORIGIN, Cosigned(), newer)
    assert not world.store.cosign(ORIGIN, Cosigned(4, latest.root, b"x", 1), newer)
    assert world.store.cosign(ORIGIN, latest, newer)


def test_what_monitors_read(world: World) -> None:
    digest = sha256(ORIGIN.encode()).hexdigest()
    assert world.witness.checkpoint(digest).status == 404
    assert world.witness.checkpoint("0" * 64).status == 404
    world.add(0, 5, signers=(LOG, STRANGER, LOG_PQ))
    answer = world.witness.checkpoint(digest)
    assert answer.status == 200
    opened = open_checkpoint(answer.body, ORIGIN, [LOG.key, LOG_PQ.key], [W1.key, W2.key])
    assert set(opened.cosignatures) == {W1.key, W2.key}
    assert len(Note.parse(answer.body).signatures) == 4  # the stranger's is gone


def subtree_request(start: int, end: int, note: bytes, *, size: int = 14) -> bytes:
    proof = subtree_consistency_proof(start, end, size, LeafReader(LEAVES))
    digest = encode_hash(root_of(LEAVES[start:end]))
    lines = [f"subtree {start} {end}", digest, *(encode_hash(h) for h in proof), "", ""]
    return "\n".join(lines).encode() + note


def test_sign_subtree(world: World) -> None:
    world.add(0, 14)
    note = world.witness.checkpoint(sha256(ORIGIN.encode()).hexdigest()).body
    answer = world.witness.sign_subtree(subtree_request(8, 13, note))
    assert answer.status == 200
    (line,) = Note.parse(b"x\n\n" + answer.body).signatures
    digest = root_of(LEAVES[8:13])
    assert check_subtree(W2.key, line, ORIGIN, 8, 13, digest)
    assert not check_subtree(W2.key, line, ORIGIN, 8, 12, digest)
    assert not check_subtree(W1.key, line, ORIGIN, 8, 13, digest)
    for start, end in [(0, 14), (0, 1), (13, 14), (12, 14), (0, 8)]:
        assert world.witness.sign_subtree(subtree_request(start, end, note)).status == 200
    wrong = subtree_request(8, 13, note).replace(b"8 13", b"0 13")
    assert world.witness.sign_subtree(wrong).status == 422
    unsigned = Checkpoint(ORIGIN, 14, root_of(LEAVES[:14])).sign(LOG)
    strange = Checkpoint("log.example/else", 14, root_of(LEAVES[:14])).sign(LOG)
    # What is malformed is so whoever signed it, and whatever log it is of.
    for range_ in (
        b"3 5",
        b"8 16",
        b"x 13",
        b"8",
        b"8 13 ",
        b"08 13",
        b"8  13",
        b"+8 13",
        b"13 8",
        b"8 8",
        b"0 0",
    ):
        for reference in (note, unsigned, strange):
            body = subtree_request(8, 13, reference).replace(b"8 13", range_)
            assert world.witness.sign_subtree(body).status == 400
    assert world.witness.sign_subtree(subtree_request(8, 13, unsigned)).status == 403
    assert world.witness.sign_subtree(subtree_request(8, 13, strange)).status == 404


def test_a_subtree_is_signed_by_the_key_that_signed_the_checkpoint(world: World) -> None:
    # tlog-witness, "sign-subtree": SHOULD be of the same keys; tlog-mirror: MUST be the identity.
    second = NoteSigner.from_seed(W2.key.name, b"\x15" * 32, ML_DSA_44)
    other = NoteSigner.from_seed("witness.example/other", b"\x16" * 32, ML_DSA_44)
    witness = Witness(world.store, [W1, W2, second, other], {ORIGIN: [LOG.key]})
    checkpoint = Checkpoint(ORIGIN, 14, root_of(LEAVES[:14]))
    unsigned = Note.parse(checkpoint.sign(LOG))

    def signed_by(*signers: NoteSigner) -> set[tuple[str, int]]:
        lines = [signer.sign(checkpoint.text, 9) for signer in signers]
        answer = witness.sign_subtree(
            subtree_request(8, 13, unsigned.with_signatures(lines).encode())
        )
        assert answer.status == 200
        return {(s.name, s.key_id) for s in Note.parse(b"x\n\n" + answer.body).signatures}

    def ids(*signers: NoteSigner) -> set[tuple[str, int]]:
        return {(signer.key.name, signer.key.id) for signer in signers}

    assert signed_by(W2) == ids(W2)
    assert signed_by(W1, second) == ids(second)
    assert signed_by(other) == ids(other)
    assert signed_by(W1) == ids(W2, second)  # it cannot speak of subtrees; its fellows can


def test_keys_that_cannot_serve(world: World) -> None:
    with pytest.raises(ValueError, match="cosignatures"):
        Witness(world.store, [LOG], {})
    with pytest.raises(ValueError, match="does not sign"):
        Witness(world.store, [W1], {ORIGIN: [W1.key]})
    with pytest.raises(ValueError, match="key of its witness"):
        Witness(world.store, [W2], {ORIGIN: [NoteSigner.from_seed("l", b"\x05" * 32, 6).key]})


def test_over_http(world: World) -> None:
    app = FastAPI()
    add_witness_routes(app, world.witness, prefix="/w")
    with TestClient(app) as http:
        assert http.post("/w/add-checkpoint", content=request(0, 5)).status_code == 200
        answer = http.post("/w/add-checkpoint", content=request(0, 6))
        assert (answer.status_code, answer.text) == (409, "5\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
        digest = sha256(ORIGIN.encode()).hexdigest()
        answer = http.get(f"/w/{digest}/checkpoint")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert http.post("/w/add-checkpoint", content=b"x" * (1 << 21)).status_code == 400
        assert http.get("/w/add-checkpoint").status_code == 405


def test_the_specifications_example() -> None:
    # c2sp.org/tlog-witness, "add-checkpoint": an example of a request and of an answer.
    body = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
        "\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
        "\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URY"
        "N7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    found = CheckpointRequest.parse(body.encode())
    assert (found.old, len(found.proof)) == (20852014, 4)
    assert Checkpoint.parse(Note.parse(found.note).text).size == 20852163
    answer = (
        "\u2014 witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZ"
        "TSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==\n"
    )
    assert len(Note.parse(found.note + answer.encode()).signatures) == 2
