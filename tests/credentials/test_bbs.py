"""BBS itself: the fixtures of the draft, what it refuses, and commitments and pseudonyms."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from credentials import bbs
from credentials.bbs import BbsPublicKey, BbsSecretKey, Opening, RandomScalars
from credentials.bbs.blind import BLIND_API_ID, MAX_COMMITTED, NYM_API_ID
from credentials.bbs.ciphersuite import (
    API_ID,
    CIPHERSUITE_ID,
    EXPAND,
    IDENTITY,
    MAX_MESSAGE,
    MAX_MESSAGES,
    P1,
    expand_message,
    generators,
    hash_to_scalar,
    messages_to_scalars,
)
from credentials.bbs.encoding import CommitmentProof, Proof, read_point
from credentials.errors import (
    BbsCommitmentInvalid,
    BbsIndexesInvalid,
    BbsMalformed,
    CredentialError,
    LimitExceeded,
    SignatureInvalid,
)

VECTORS = Path(os.environ.get("ZL_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
DRAFT = VECTORS / "bbs-draft" / "bls12-381-sha-256"

needs_draft = pytest.mark.skipif(
    not DRAFT.is_dir(), reason="the fixtures of the draft are not here"
)

ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
SECRET = BbsSecretKey.derive(b"a secret for tests, and none else")
PUBLIC = SECRET.public
HEADER, OCCASION = b"header", b"presentation header"
MESSAGES = [f"message {n}".encode() for n in range(6)]
SIGNATURE = bbs.sign(SECRET, HEADER, MESSAGES)
SHOWN = [1, 4]


def load(name: str) -> Any:
    return json.loads((DRAFT / name).read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def seeded(seed: bytes, dst: bytes) -> RandomScalars:
    """seeded_random_scalars of the draft (§8.1)."""

    def scalars(count: int) -> list[Scalar]:
        stream = expand_message(seed, dst, EXPAND * count)
        return [
            Scalar.from_be_bytes_mod_order(stream[start : start + EXPAND])
            for start in range(0, EXPAND * count, EXPAND)
        ]

    return scalars


# The fixtures of the draft


@needs_draft
def test_key_pair() -> None:
    fixture = load("keypair.json")
    key = BbsSecretKey.derive(
        unhex(fixture["keyMaterial"]), unhex(fixture["keyInfo"]), unhex(fixture["keyDst"])
    )
    assert key.to_bytes().hex() == fixture["keyPair"]["secretKey"]
    assert key.public.raw.hex() == fixture["keyPair"]["publicKey"]


@needs_draft
def test_generators() -> None:
    fixture = load("generators.json")
    points = generators(len(fixture["MsgGenerators"]))
    assert P1.to_compressed_bytes().hex() == fixture["P1"]
    assert points.q1.to_compressed_bytes().hex() == fixture["Q1"]
    assert [point.to_compressed_bytes().hex() for point in points.h] == fixture["MsgGenerators"]


def test_fixed_point_is_derived_and_not_chosen() -> None:
    base = CIPHERSUITE_ID + b"H2G_HM2S_"
    seed_dst = base + b"SIG_GENERATOR_SEED_"
    state = expand_message(base + b"BP_MESSAGE_GENERATOR_SEED", seed_dst, EXPAND)
    state = expand_message(state + (1).to_bytes(8, "big"), seed_dst, EXPAND)
    assert G1Point.hash_to_curve(state, base + b"SIG_GENERATOR_DST_") == P1


def test_generators_go_on_over_the_blocks_that_are_kept() -> None:
    many = generators(150)
    assert generators(70).h == many.h[:70]
    assert len({point.to_compressed_bytes() for point in many.h}) == 150


@needs_draft
def test_messages_to_scalars() -> None:
    fixture = load("MapMessageToScalarAsHash.json")
    cases = fixture["cases"]
    scalars = messages_to_scalars([unhex(case["message"]) for case in cases])
    assert [scalar.to_be_bytes().hex() for scalar in scalars] == [c["scalar"] for c in cases]


@needs_draft
def test_hash_to_scalar() -> None:
    fixture = load("h2s.json")
    scalar = hash_to_scalar(unhex(fixture["message"]), unhex(fixture["dst"]))
    assert scalar.to_be_bytes().hex() == fixture["scalar"]


@needs_draft
def test_mocked_random_scalars() -> None:
    fixture = load("mockedRng.json")
    scalars = seeded(unhex(fixture["seed"]), unhex(fixture["dst"]))(fixture["count"])
    assert [scalar.to_be_bytes().hex() for scalar in scalars] == fixture["mockedScalars"]


def _refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except CredentialError:
        return True
    return False


@needs_draft
@pytest.mark.parametrize("number", range(1, 11))
def test_signature_fixtures(number: int) -> None:
    fixture = load(f"signature/signature{number:03}.json")
    keys, header = fixture["signerKeyPair"], unhex(fixture["header"])
    public = BbsPublicKey.decode(unhex(keys["publicKey"]))
    messages = [unhex(message) for message in fixture["messages"]]
    signature = unhex(fixture["signature"])
    valid = fixture["result"]["valid"]
    assert _refused(lambda: bbs.verify(public, signature, header, messages)) is not valid
    if valid:
        assert bbs.sign(BbsSecretKey(unhex(keys["secretKey"])), header, messages) == signature


@needs_draft
@pytest.mark.parametrize("number", range(1, 16))
def test_proof_fixtures(number: int) -> None:
    fixture = load(f"proof/proof{number:03}.json")
    public = BbsPublicKey.decode(unhex(fixture["signerPublicKey"]))
    header, occasion = unhex(fixture["header"]), unhex(fixture["presentationHeader"])
    messages = [unhex(message) for message in fixture["messages"]]
    indexes = fixture["disclosedIndexes"]
    shown = [messages[index] for index in indexes]
    proof = unhex(fixture["proof"])
    valid = fixture["result"]["valid"]
    assert (
        _refused(lambda: bbs.verify_proof(public, proof, header, occasion, shown, indexes))
        is not valid
    )
    if valid:
        rng = load("mockedRng.json")
        made = bbs.prove(
            public,
            unhex(fixture["signature"]),
            header,
            occasion,
            messages,
            indexes,
            random_scalars=seeded(unhex(rng["seed"]), unhex(rng["dst"])),
        )
        assert made == proof


# Round trips and tampering


def prove(indexes: list[int] = SHOWN) -> bytes:
    return bbs.prove(PUBLIC, SIGNATURE, HEADER, OCCASION, MESSAGES, indexes)


def check(
    proof: bytes,
    *,
    header: bytes = HEADER,
    occasion: bytes = OCCASION,
    messages: list[bytes] | None = None,
    indexes: list[int] | None = None,
    public: BbsPublicKey = PUBLIC,
) -> None:
    places = SHOWN if indexes is None else indexes
    texts = [MESSAGES[index] for index in SHOWN] if messages is None else messages
    bbs.verify_proof(public, proof, header, occasion, texts, places)


@pytest.mark.parametrize("indexes", [[], [0], [5], [0, 1, 2, 3, 4, 5]])
def test_any_part_can_be_shown(indexes: list[int]) -> None:
    check(prove(indexes), messages=[MESSAGES[index] for index in indexes], indexes=indexes)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=12), st.data())
def test_any_messages_and_any_part_of_them(messages: list[bytes], data: st.DataObject) -> None:
    signature = bbs.sign(SECRET, HEADER, messages)
    bbs.verify(PUBLIC, signature, HEADER, messages)
    chosen = data.draw(st.sets(st.sampled_from(range(len(messages))))) if messages else set()
    indexes = sorted(chosen)
    shown = [messages[index] for index in indexes]
    proof = bbs.prove(PUBLIC, signature, HEADER, OCCASION, messages, indexes)
    check(proof, messages=shown, indexes=indexes)
    for number, text in enumerate(shown):
        other = [*shown[:number], text + b"!", *shown[number + 1 :]]
        with pytest.raises(SignatureInvalid):
            check(proof, messages=other, indexes=indexes)
    if shown:
        with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
            check(proof, messages=shown[1:], indexes=indexes[1:])


def test_no_message_at_all() -> None:
    signature = bbs.sign(SECRET, b"", [])
    bbs.verify(PUBLIC, signature, b"", [])
    bbs.verify_proof(PUBLIC, bbs.prove(PUBLIC, signature, b"", b"", [], []), b"", b"", [], [])


def test_proofs_of_one_signature_share_nothing() -> None:
    one, other = prove(), prove()
    pieces = {one[start : start + 16] for start in range(0, len(one), 16)}
    assert pieces.isdisjoint(other[start : start + 16] for start in range(0, len(other), 16))


@pytest.mark.parametrize(
    "change",
    [
        {"header": b"other"},
        {"occasion": b"other"},
        {"occasion": b""},
        {"messages": [b"message 1", b"other"]},
        {"messages": [b"message 4", b"message 1"]},
        {"indexes": [1, 5]},
        {"public": BbsSecretKey.derive(b"another secret key, for tests only").public},
    ],
)
def test_a_proof_holds_for_what_it_was_made_for_alone(change: dict[str, Any]) -> None:
    proof = prove()
    check(proof)
    with pytest.raises(SignatureInvalid):
        check(proof, **change)


@pytest.mark.parametrize(
    ("messages", "indexes"),
    [
        ([MESSAGES[1]], [1, 4]),
        ([MESSAGES[1], MESSAGES[4]], [1]),
        ([MESSAGES[1], MESSAGES[1]], [1, 1]),
        ([MESSAGES[4], MESSAGES[1]], [4, 1]),
        ([MESSAGES[1], MESSAGES[4]], [1, 6]),
        ([MESSAGES[1], MESSAGES[4]], [-1, 4]),
        ([MESSAGES[1], MESSAGES[4]], [True, 4]),
    ],
)
def test_indexes_that_do_not_fit(messages: list[bytes], indexes: list[int]) -> None:
    with pytest.raises(BbsIndexesInvalid):
        check(prove(), messages=messages, indexes=indexes)


@pytest.mark.parametrize("indexes", [[2, 1], [1, 1], [6], [-1]])
def test_indexes_to_prove_that_do_not_fit(indexes: list[int]) -> None:
    with pytest.raises(BbsIndexesInvalid):
        prove(indexes)


def test_every_byte_of_signature_and_proof_counts() -> None:
    for position in range(len(SIGNATURE)):
        changed = bytearray(SIGNATURE)
        changed[position] ^= 1
        with pytest.raises((SignatureInvalid, BbsMalformed)):
            bbs.verify(PUBLIC, bytes(changed), HEADER, MESSAGES)
    proof = prove()
    for position in range(0, len(proof), 5):
        changed = bytearray(proof)
        changed[position] ^= 1
        with pytest.raises((SignatureInvalid, BbsMalformed)):
            check(bytes(changed))


# Octets


def outside_subgroup() -> bytes:
    """A point of the curve that is not in the subgroup of prime order."""
    for x in range(256):
        data = bytes([0x80]) + bytes(46) + bytes([x])
        try:
            point = G1Point.from_compressed_bytes_unchecked(data)
        except ValueError:
            continue
        if not point.is_in_subgroup():
            return point.to_compressed_bytes()
    raise AssertionError("such points are everywhere")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(47),
        bytes(48),
        bytes(49),
        b"\xff" * 48,
        IDENTITY.to_compressed_bytes(),
        IDENTITY.to_compressed_bytes()[:-1] + b"\1",
        outside_subgroup(),
    ],
)
def test_bad_points(data: bytes) -> None:
    with pytest.raises(BbsMalformed):
        read_point(data, "pseudonym")
    with pytest.raises(BbsMalformed):
        bbs.verify(PUBLIC, data + SIGNATURE[48:], HEADER, MESSAGES)
    proof = prove()
    if len(data) == 48:
        for start in (0, 48, 96):
            with pytest.raises(BbsMalformed):
                check(proof[:start] + data + proof[start + 48 :])


@pytest.mark.parametrize("value", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_bad_scalars(value: int) -> None:
    scalar = value.to_bytes(32, "big")
    with pytest.raises(BbsMalformed):
        bbs.verify(PUBLIC, SIGNATURE[:48] + scalar, HEADER, MESSAGES)
    with pytest.raises(BbsMalformed):
        BbsSecretKey(scalar)
    proof = prove()
    for start in range(144, len(proof), 32):
        with pytest.raises(BbsMalformed):
            check(proof[:start] + scalar + proof[start + 32 :])


def test_one_value_has_one_spelling() -> None:
    proof = prove()
    start = 144
    again = (int.from_bytes(proof[start : start + 32], "big") + ORDER) % 2**256
    with pytest.raises((BbsMalformed, SignatureInvalid)):
        check(proof[:start] + again.to_bytes(32, "big") + proof[start + 32 :])


@pytest.mark.parametrize("cut", [1, 31, 32, 33, 200, 10_000])
def test_proofs_of_another_length(cut: int) -> None:
    proof = prove()
    for changed in (proof[:-cut], proof + bytes(cut), proof + bytes([1]) * cut):
        with pytest.raises((BbsMalformed, BbsIndexesInvalid, SignatureInvalid)):
            check(changed)


@pytest.mark.parametrize(
    "raw", [b"", bytes(96), b"\xff" * 96, PUBLIC.raw[:-1], G2Point.identity().to_compressed_bytes()]
)
def test_bad_public_keys(raw: bytes) -> None:
    with pytest.raises(BbsMalformed):
        BbsPublicKey.decode(raw)


def test_key_material_has_a_least_length() -> None:
    for length in (0, 31, 1025):
        with pytest.raises(BbsMalformed):
            BbsSecretKey.derive(bytes(length))
    with pytest.raises(BbsMalformed):
        BbsSecretKey.derive(bytes(32), bytes(65536))
    with pytest.raises(BbsMalformed):
        BbsSecretKey(bytes(31))


def test_limits() -> None:
    with pytest.raises(LimitExceeded):
        bbs.sign(SECRET, HEADER, [b""] * (MAX_MESSAGES + 1))
    with pytest.raises(LimitExceeded):
        bbs.sign(SECRET, HEADER, [bytes(MAX_MESSAGE + 1)])
    with pytest.raises(LimitExceeded):
        bbs.sign(SECRET, bytes(MAX_MESSAGE + 1), [])
    with pytest.raises(LimitExceeded):
        check(prove()[:144] + bytes([1]) * 32 * (3 * MAX_MESSAGES))
    with pytest.raises(LimitExceeded):
        hash_to_scalar(b"", bytes(256))
    with pytest.raises(LimitExceeded):
        expand_message(b"", b"dst", 65536)


def test_secrets_are_not_printed() -> None:
    opening = bbs.commit([b"a holder's secret"], prover_nym=bytes(31) + b"\x07")[1]
    for text in (repr(SECRET), str(SECRET), repr(opening), str(opening)):
        assert SECRET.to_bytes().hex() not in text
        assert "holder's secret" not in text
        assert opening.blind.hex() not in text
        assert "x07" not in text
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)


def test_randomness_that_would_show_the_signature_is_refused() -> None:
    with pytest.raises(BbsMalformed):
        bbs.prove(
            PUBLIC,
            SIGNATURE,
            HEADER,
            OCCASION,
            MESSAGES,
            SHOWN,
            random_scalars=lambda count: [Scalar(0)] * count,
        )
    with pytest.raises(BbsMalformed):
        bbs.commit([b"secret"], random_scalars=lambda count: [Scalar(1)] * (count - 1))


# Commitments and pseudonyms

NYM = bytes(31) + b"\x05"
ENTROPY = bytes(31) + b"\x09"


def issue(committed: list[bytes], nym: bytes | None) -> tuple[bytes, Opening]:
    commitment, opening = bbs.commit(committed, prover_nym=nym)
    entropy = None if nym is None else ENTROPY
    signature = bbs.blind_sign(SECRET, commitment, HEADER, MESSAGES, nym_entropy=entropy)
    if entropy is not None:
        opening = opening.with_entropy(entropy)
    bbs.verify_blind(PUBLIC, signature, HEADER, MESSAGES, opening)
    return signature, opening


def show(signature: bytes, opening: Opening, context: bytes | None) -> tuple[bytes, bytes | None]:
    return bbs.prove_blind(
        PUBLIC, signature, HEADER, OCCASION, MESSAGES, SHOWN, opening, context=context
    )


def check_blind(proof: bytes, **changes: Any) -> None:
    arguments = {
        "header": HEADER,
        "presentation_header": OCCASION,
        "messages": [MESSAGES[index] for index in SHOWN],
        "indexes": SHOWN,
        "total": len(MESSAGES),
        **changes,
    }
    bbs.verify_blind_proof(PUBLIC, proof, **arguments)


@pytest.mark.parametrize("committed", [[], [b"secret"], [b"one", b"two"]])
def test_committed_messages(committed: list[bytes]) -> None:
    signature, opening = issue(committed, None)
    proof, pseudonym = show(signature, opening, None)
    assert pseudonym is None
    check_blind(proof)
    for change in (
        {"total": len(MESSAGES) - 1},
        {"total": len(MESSAGES) + 1},
        {"presentation_header": b"other"},
        {"header": b""},
    ):
        with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
            check_blind(proof, **change)


def test_without_the_secret_the_signature_is_of_no_use() -> None:
    signature, opening = issue([b"secret"], None)
    thief = Opening((b"guess",), opening.blind)
    with pytest.raises(SignatureInvalid):
        bbs.verify_blind(PUBLIC, signature, HEADER, MESSAGES, thief)
    proof, _ = show(signature, thief, None)
    with pytest.raises(SignatureInvalid):
        check_blind(proof)
    with pytest.raises(SignatureInvalid):
        bbs.verify(PUBLIC, signature, HEADER, MESSAGES)


@pytest.mark.parametrize("committed", [[], [b"secret"]])
def test_pseudonyms(committed: list[bytes]) -> None:
    signature, opening = issue(committed, NYM)
    proof, pseudonym = show(signature, opening, b"library")
    again, same = show(signature, opening, b"library")
    _, other = show(signature, opening, b"clinic")
    assert pseudonym == same != other
    assert proof != again
    check_blind(proof, context=b"library", pseudonym=pseudonym)
    for change in (
        {"context": b"clinic", "pseudonym": pseudonym},
        {"context": b"library", "pseudonym": other},
        {"context": b"library", "pseudonym": P1.to_compressed_bytes()},
    ):
        with pytest.raises(SignatureInvalid):
            check_blind(proof, **change)
    for change in ({"context": b"library"}, {"pseudonym": pseudonym}):
        with pytest.raises(BbsMalformed):
            check_blind(proof, **change)
    with pytest.raises((SignatureInvalid, BbsIndexesInvalid)):
        check_blind(proof)
    with pytest.raises(BbsMalformed):
        check_blind(proof, context=b"library", pseudonym=G1Point.identity().to_compressed_bytes())
    with pytest.raises(BbsMalformed):
        show(signature, opening, None)


def test_the_signer_has_a_part_in_the_nym_secret() -> None:
    signature, opening = issue([], NYM)
    assert opening.nym == (5 + 9).to_bytes(32, "big")
    alone = Opening(opening.committed, opening.blind, NYM)
    with pytest.raises(SignatureInvalid):
        bbs.verify_blind(PUBLIC, signature, HEADER, MESSAGES, alone)


def test_nym_secrets_out_of_range() -> None:
    for bad in (b"", bytes(32), ORDER.to_bytes(32, "big"), bytes(33)):
        with pytest.raises(BbsMalformed):
            bbs.commit([], prover_nym=bad)
        with pytest.raises(BbsMalformed):
            Opening((), NYM, NYM).with_entropy(bad)
    cancelling = (ORDER - 5).to_bytes(32, "big")
    with pytest.raises(BbsMalformed):
        Opening((), NYM, NYM).with_entropy(cancelling)
    with pytest.raises(BbsMalformed):
        Opening((), NYM).with_entropy(ENTROPY)


def test_a_commitment_must_be_proven() -> None:
    commitment, _ = bbs.commit([b"secret"])
    parsed = CommitmentProof.decode(commitment)
    stolen = CommitmentProof(
        parsed.commitment + P1, parsed.blind, parsed.messages, parsed.challenge
    )
    for bad in (stolen.encode(), commitment[:-1] + bytes([commitment[-1] ^ 1])):
        with pytest.raises(BbsCommitmentInvalid):
            bbs.blind_sign(SECRET, bad, HEADER, MESSAGES)
    # One made for signatures without pseudonyms is none for those with.
    with pytest.raises(BbsCommitmentInvalid):
        bbs.blind_sign(SECRET, commitment, HEADER, MESSAGES, nym_entropy=ENTROPY)
    for malformed in (b"", commitment[:-1], commitment[:48], commitment[:80]):
        with pytest.raises(BbsMalformed):
            bbs.blind_sign(SECRET, malformed, HEADER, MESSAGES)
    without_nym = bbs.commit([])[0]
    with pytest.raises(BbsMalformed):
        bbs.blind_sign(SECRET, without_nym, HEADER, MESSAGES, nym_entropy=ENTROPY)


def test_commitments_have_a_limit() -> None:
    with pytest.raises(LimitExceeded):
        bbs.commit([b"x"] * (MAX_COMMITTED + 1))
    longer = bbs.commit([b"x"] * MAX_COMMITTED)[0] + bytes([1]) * 32 * (MAX_COMMITTED + 2)
    with pytest.raises(LimitExceeded):
        bbs.check_commitment(longer, with_nym=False)


def test_interfaces_are_kept_apart() -> None:
    points = [generators(3, 0, api).h for api in (API_ID, BLIND_API_ID, NYM_API_ID)]
    assert len({point.to_compressed_bytes() for three in points for point in three}) == 9


def test_committed_messages_are_never_shown() -> None:
    signature, opening = issue([b"secret"], None)
    with pytest.raises(BbsIndexesInvalid):
        bbs.prove_blind(PUBLIC, signature, HEADER, OCCASION, MESSAGES, [len(MESSAGES)], opening)
    proof, _ = show(signature, opening, None)
    with pytest.raises(BbsIndexesInvalid):
        check_blind(proof, messages=[b"x"], indexes=[len(MESSAGES)])
    assert len(Proof.decode(proof).hidden) == len(MESSAGES) - len(SHOWN) + 2
