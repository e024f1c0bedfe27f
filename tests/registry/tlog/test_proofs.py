"""Proofs that stand alone: format to the letter, and never without their checkpoint."""

from __future__ import annotations

import pytest

from registry.errors import (
    CheckpointMalformed,
    InclusionInvalid,
    NoteMalformed,
    NoteUnsigned,
    ProofMalformed,
    QuorumMissing,
)
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.merkle import LeafReader, inclusion_proof, leaf_hash, root_of
from registry.tlog.note import ED25519_COSIGNATURE, Note, NoteSigner
from registry.tlog.policy import Policy
from registry.tlog.proofs import HEADER, TlogProof

ORIGIN = "hangzhou.example/identity"
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
NODE = NoteSigner.from_seed("node.example/a", b"\x02" * 32, ED25519_COSIGNATURE)
POLICY = Policy.k_of_n(1, {"a": NODE.key}, [LOG.key])
LEAVES = [leaf_hash(b"%d" % i) for i in range(11)]


def made(index: int = 4, *, cosigned: bool = True, extra: bytes | None = None) -> TlogProof:
    checkpoint = Checkpoint(ORIGIN, len(LEAVES), root_of(LEAVES))
    note = Note.parse(checkpoint.sign(LOG))
    if cosigned:
        note = note.with_signatures([NODE.sign(note.text, 1234)])
    path = inclusion_proof(index, len(LEAVES), LeafReader(LEAVES))
    return TlogProof(index, tuple(path), note.encode(), extra)


@pytest.mark.parametrize("extra", [None, b"", b"salt"])
@pytest.mark.parametrize("index", [0, 4, 10])
def test_proof_reads_back_and_verifies(index: int, extra: bytes | None) -> None:
    proof = made(index, extra=extra)
    again = TlogProof.parse(proof.encode())
    assert again == proof
    verified = again.verify(LEAVES[index], POLICY, origin=ORIGIN)
    assert (verified.leaf, verified.index) == (LEAVES[index], index)
    assert verified.checkpoint.time_s == 1234


def test_the_written_form() -> None:
    lines = made(extra=b"x").encode().decode().split("\n")
    assert lines[:3] == [HEADER, "extra eA==", "index 4"]
    blank = lines.index("")
    assert lines[blank + 1] == ORIGIN


def test_another_leaf_or_place_is_refused() -> None:
    proof = made()
    with pytest.raises(InclusionInvalid):
        proof.verify(LEAVES[5], POLICY)
    with pytest.raises(InclusionInvalid):
        TlogProof(5, proof.hashes, proof.checkpoint).verify(LEAVES[4], POLICY)
    with pytest.raises(InclusionInvalid):
        TlogProof(4, proof.hashes[:-1], proof.checkpoint).verify(LEAVES[4], POLICY)


def test_without_quorum_or_log_signature_it_proves_nothing() -> None:
    with pytest.raises(QuorumMissing):
        made(cosigned=False).verify(LEAVES[4], POLICY)
    proof = made()
    note = Note.parse(proof.checkpoint)
    unsigned = Note(note.text, note.signatures[1:]).encode()
    with pytest.raises(NoteUnsigned):
        TlogProof(4, proof.hashes, unsigned).verify(LEAVES[4], POLICY)


def test_a_proof_of_one_leaf_has_no_hashes() -> None:
    checkpoint = Checkpoint(ORIGIN, 1, LEAVES[0])
    note = Note.parse(checkpoint.sign(LOG))
    data = note.with_signatures([NODE.sign(note.text, 1)]).encode()
    proof = TlogProof.parse(TlogProof(0, (), data).encode())
    proof.verify(LEAVES[0], POLICY)


GOOD = made(extra=b"x").encode()
HASH = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD.replace(b"@v1", b"@v2"),
        GOOD.replace(b"index 4", b"index 04"),
        GOOD.replace(b"index 4", b"index"),
        GOOD.replace(b"index 4\n", b""),
        GOOD.replace(b"extra eA==", b"extra eA"),
        GOOD.replace(b"extra eA==\nindex 4", b"index 4\nextra eA=="),
        GOOD.replace(b"index 4\n", b"index 4\nAAAA\n"),
        GOOD.replace(b"index 4\n", b"index 4\n" + HASH * 64),
        GOOD.replace(b"index 4", b"index \xd9\xa4"),
        GOOD.replace(b"index 4", b"index +4"),
        GOOD.replace(b"index 4", b"index -4"),
        GOOD.replace(b"index 4", b"index 4 "),
        GOOD.replace(b"index 4", b"index\t4"),
        GOOD.replace(b"index 4", b"index  4"),
        GOOD.replace(b"index 4", b"Index 4"),
        GOOD.replace(b"index 4", b"index 9223372036854775808"),
        GOOD.replace(b"index 4", b"index " + b"9" * 5000),
        GOOD.replace(b"index 4\n", b"index 4\nindex 4\n"),
        GOOD.replace(b"extra eA==\n", b"extra eA==\nextra eA==\n"),
        GOOD.replace(b"extra eA==", b"extra\teA=="),
        GOOD.replace(b"extra eA==", b"extra eB=="),  # stray bits
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"@v1\n", b"@v1 \n"),
        b"\n" + GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"index 4\n", b"index 4\n\n"),  # the hashes are no checkpoint
        GOOD.split(b"\n\n")[0] + b"\n\n",
        GOOD.split(b"\n\n")[0],
        b"x" * 700_000,
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises((ProofMalformed, NoteMalformed, CheckpointMalformed)):
        TlogProof.parse(data).verify(LEAVES[4], POLICY)


def test_a_proof_as_long_as_it_may_be() -> None:
    long = GOOD.replace(b"index 4\n", b"index 4\n" + HASH * 59)  # with its own four
    with pytest.raises(InclusionInvalid):
        TlogProof.parse(long).verify(LEAVES[4], POLICY)
    most = TlogProof(2**63 - 2, (bytes(32),) * 63, made().checkpoint)
    assert TlogProof.parse(most.encode()) == most
    with pytest.raises(InclusionInvalid):  # beyond the tree of its checkpoint
        most.verify(LEAVES[4], POLICY)
