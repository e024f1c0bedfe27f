"""Signed notes: the specification's own examples, and every way to break one."""

from __future__ import annotations

import base64

import pytest

from registry.errors import KeyMalformed, NoteForged, NoteMalformed, NoteUnsigned
from registry.limits import MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES
from registry.tlog.lines import strict_base64
from registry.tlog.note import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSignature,
    NoteSigner,
    VerifierKey,
    check_subtree,
)

# c2sp.org/signed-note, "Verifier keys", Example.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
    "OBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

LOG = NoteSigner.from_seed("log.example/one", b"\x01" * 32)
OTHER = NoteSigner.from_seed("log.example/two", b"\x02" * 32)
NODE = NoteSigner.from_seed("node.example/a", b"\x03" * 32, ED25519_COSIGNATURE)
TEXT = "first\n\nthird\n"


def signed(*signers: NoteSigner) -> Note:
    return Note(TEXT, tuple(s.sign(TEXT) for s in signers))


def test_the_specifications_example_verifies() -> None:
    key = VerifierKey.parse(SPEC_KEY)
    assert key.encode() == SPEC_KEY
    note = Note.parse(SPEC_NOTE)
    assert note.encode() == SPEC_NOTE
    assert note.verify([key]).text == "This is an example message.\n"


def test_text_splits_at_the_last_blank_line() -> None:
    note = Note.parse(signed(LOG).encode())
    assert note.text == TEXT
    verified = note.verify([LOG.key])
    assert verified.by(LOG.key)
    assert not verified.by(OTHER.key)


def test_text_may_end_in_blank_lines() -> None:
    text = "a\n\n"
    note = Note(text, (LOG.sign(text),))
    assert Note.parse(note.encode()) == note


def test_unknown_signatures_are_ignored_and_alone_do_not_do() -> None:
    note = signed(OTHER, LOG)
    assert [s.key for s in note.verify([LOG.key]).signatures] == [LOG.key]
    with pytest.raises(NoteUnsigned):
        signed(OTHER).verify([LOG.key])
    with pytest.raises(NoteUnsigned):
        note.verify([])


def test_a_failing_signature_of_a_known_key_rejects_the_note() -> None:
    good = LOG.sign(TEXT)
    bad = NoteSignature(good.name, good.key_id, bytes(64))
    for lines in [(bad,), (good, bad), (bad, good), (OTHER.sign(TEXT), bad)]:
        with pytest.raises(NoteForged) as caught:
            Note(TEXT, lines).verify([LOG.key, OTHER.key])
        assert caught.value.params == {"name": LOG.key.name}


def test_same_name_or_same_id_alone_is_another_key() -> None:
    twin = NoteSigner.from_seed(LOG.key.name, b"\x09" * 32)
    assert twin.key.id != LOG.key.id
    note = signed(twin, LOG)
    assert note.verify([LOG.key]).signatures[0].key == LOG.key
    stray = NoteSignature("somebody.example", LOG.key.id, bytes(64))
    Note(TEXT, (stray, LOG.sign(TEXT))).verify([LOG.key])


def test_sixteen_signatures_and_more_are_accepted() -> None:
    signers = [NoteSigner.from_seed(f"k{i}", bytes([i]) * 32) for i in range(MAX_NOTE_SIGNATURES)]
    note = Note.parse(signed(*signers).encode())
    assert len(note.verify([s.key for s in signers]).signatures) == MAX_NOTE_SIGNATURES


GOOD = signed(LOG).encode().decode()
LINE = LOG.sign(TEXT).line()
MALFORMED = {
    "empty": b"",
    "only_text": TEXT.encode(),
    "no_blank_line": (TEXT.replace("\n\n", "\n") + LINE).encode(),
    "no_final_newline": GOOD[:-1].encode(),
    "no_signature": (TEXT + "\n").encode(),
    "not_utf8": GOOD.encode().replace(b"first", b"fir\xff"),
    "surrogate": GOOD.encode().replace(b"first", b"\xed\xa0\x80"),
    "tab_in_text": GOOD.replace("first", "fi\tst").encode(),
    "carriage_return": GOOD.replace("first\n", "first\r\n").encode(),
    "nul": GOOD.replace("first", "fir\0").encode(),
    "hyphen_for_dash": GOOD.replace("\u2014 log", "- log").encode(),
    "two_spaces": GOOD.replace("\u2014 log", "\u2014  log").encode(),
    "empty_name": GOOD.replace("\u2014 log.example/one ", "\u2014  ").encode(),
    "plus_in_name": GOOD.replace("log.example/one", "log+one").encode(),
    "wide_space_in_name": GOOD.replace("log.example/one", "log\u3000one").encode(),
    "trailing_space": GOOD[:-1].encode() + b" \n",
    "base64_without_padding": GOOD.replace("=\n", "\n").encode(),
    "base64_of_urls": (TEXT + "\n\u2014 a AAAA-_==\n").encode(),
    "base64_stray_bits": (TEXT + "\n\u2014 a AAAAAAB=\n").encode(),
    "four_bytes": (TEXT + "\n\u2014 a AAAAAA==\n").encode(),
    "text_among_signatures": (GOOD + "more\n").encode(),
    "too_many": (TEXT + "\n" + LINE * (MAX_NOTE_SIGNATURES + 1)).encode(),
    "too_large": ("x" * MAX_NOTE_BYTES + "\n\n" + LINE).encode(),
}


@pytest.mark.parametrize("defect", MALFORMED)
def test_malformed_note(defect: str) -> None:
    with pytest.raises(NoteMalformed):
        Note.parse(MALFORMED[defect])


def test_a_note_that_could_not_be_read_is_not_written() -> None:
    for text in ["no newline", "a\tb\n"]:
        with pytest.raises(NoteMalformed):
            Note(text, (LOG.sign(TEXT),)).encode()
    with pytest.raises(NoteMalformed):
        Note(TEXT).encode()


def test_added_signatures_stand_once() -> None:
    note = signed(LOG).with_signatures([LOG.sign(TEXT), OTHER.sign(TEXT)])
    assert [s.name for s in note.signatures] == [LOG.key.name, OTHER.key.name]


# Unicode's property White_Space, without the controls.
SPACES = [0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]


def test_no_space_of_unicode_stands_in_a_name() -> None:
    for code in [*SPACES, ord("+"), *range(0x20)]:
        with pytest.raises(KeyMalformed):
            VerifierKey(f"log{chr(code)}one", ED25519, LOG.key.public)
        line = GOOD.replace("log.example/one", f"log{chr(code)}one")
        with pytest.raises(NoteMalformed):
            Note.parse(line.encode())
    for name in ("日志/一", "log\u200bone", "log=one", "\u2014", "é", "log\x7f"):  # no spaces
        signer = NoteSigner.from_seed(name, b"\x01" * 32)
        note = Note.parse(Note(TEXT, (signer.sign(TEXT),)).encode())
        assert note.verify([VerifierKey.parse(signer.key.encode())]).by(signer.key)
    composed, split = (NoteSigner.from_seed(n, b"\x01" * 32) for n in ("\u00e9", "e\u0301"))
    with pytest.raises(NoteUnsigned):  # names are compared as they are, not as they look
        Note(TEXT, (composed.sign(TEXT),)).verify([split.key])


def test_sixteen_signatures_of_five_kilobytes_fit() -> None:
    strange = tuple(NoteSignature(f"pq{i}.example", i, bytes(4900)) for i in range(15))
    note = Note.parse(Note(TEXT, (*strange, LOG.sign(TEXT))).encode())
    assert len(note.verify([LOG.key]).signatures) == 1


def vkey(name: str, kind: int, public: bytes) -> str:
    material = base64.b64encode(bytes([kind]) + public).decode()
    return f"{name}+00000000+{material}"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "name",
        "name+530d903a",
        SPEC_KEY.replace("530d903a", "530d903b"),
        SPEC_KEY.replace("530d903a", "530D903A"),
        SPEC_KEY.replace("example.com/foo", "example.com/fo"),
        SPEC_KEY.replace("example.com/foo", "example.com/f o"),
        SPEC_KEY.replace("example.com/foo", ""),
        SPEC_KEY + "=",
        SPEC_KEY[:-4],
        vkey("a", 2, bytes(32)),
        vkey("a", 1, bytes(31)),
        "a+00000000+",
        "\udc94" + SPEC_KEY,  # an octet of a policy file that is no UTF-8
    ],
)
def test_malformed_vkey(key: str) -> None:
    with pytest.raises(KeyMalformed):
        VerifierKey.parse(key)


def test_vkeys_of_both_types_differ_and_read_back() -> None:
    for signer in (LOG, NODE):
        assert VerifierKey.parse(signer.key.encode()) == signer.key
    same = VerifierKey(LOG.key.name, ED25519_COSIGNATURE, LOG.key.public)
    assert same.id != LOG.key.id
    assert LOG.key.type == ED25519


def test_cosignature_carries_its_time_and_nothing_else_may_change() -> None:
    line = NODE.sign(TEXT, 1_700_000_000)
    verified = Note(TEXT, (line,)).verify([NODE.key])
    assert verified.signatures[0].timestamp == 1_700_000_000
    later = NoteSignature(
        line.name, line.key_id, (1_700_000_001).to_bytes(8, "big") + line.blob[8:]
    )
    for forged in (later, NoteSignature(line.name, line.key_id, line.blob[:8])):
        with pytest.raises(NoteForged):
            Note(TEXT, (forged,)).verify([NODE.key])
    with pytest.raises(NoteForged):
        Note("other\n", (line,)).verify([NODE.key])


def test_a_cosignature_is_no_plain_signature_and_the_other_way_round() -> None:
    plain = NoteSigner(VerifierKey("n", ED25519, NODE.key.public), NODE.sign_bytes)
    line = plain.sign(TEXT)
    disguised = NoteSignature(NODE.key.name, NODE.key.id, bytes(8) + line.blob)
    with pytest.raises(NoteForged):
        Note(TEXT, (disguised,)).verify([NODE.key])
    with pytest.raises(ValueError, match="timestamp"):
        NODE.sign(TEXT)
    with pytest.raises(ValueError, match="timestamp"):
        LOG.sign(TEXT, 5)
    with pytest.raises(ValueError, match="range"):
        NODE.sign(TEXT, 2**63)


def test_time_beyond_the_limit_is_no_cosignature() -> None:
    line = NODE.sign(TEXT, 7)
    huge = NoteSignature(line.name, line.key_id, (2**63).to_bytes(8, "big") + line.blob[8:])
    with pytest.raises(NoteForged):
        Note(TEXT, (huge,)).verify([NODE.key])


@pytest.mark.parametrize("text", ["A", "AA", "AA=", "A===", "AB==", " AA==", "AA==\n", "é"])
def test_strict_base64_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        strict_base64(text)


# --- ML-DSA-44 --------------------------------------------------------------------------------

PQ = NoteSigner.from_seed("log.example/one", b"\x07" * 32, ML_DSA_44)
HEAD = "log.example/one\n5\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def test_ml_dsa_signs_a_tree_head() -> None:
    line = PQ.sign(HEAD, 1679315147)
    assert len(line.blob) == 8 + 2420
    found = Note(HEAD, (line,)).verify([PQ.key]).signatures
    assert [(s.key, s.timestamp) for s in found] == [(PQ.key, 1679315147)]
    # A log states no time.
    assert Note(HEAD, (PQ.sign(HEAD),)).verify([PQ.key]).signatures[0].timestamp == 0


def test_what_ml_dsa_signs_byte_by_byte() -> None:
    # tlog-cosignature, "ML-DSA-44 signed message"
    wanted = (
        b"subtree/v1\n\x00"
        + bytes([15])
        + b"log.example/one"
        + (1679315147).to_bytes(8, "big")
        + bytes([15])
        + b"log.example/one"
        + (0).to_bytes(8, "big")
        + (5).to_bytes(8, "big")
        + bytes(range(32))
    )
    line = PQ.sign(HEAD, 1679315147)
    PQ.key.loaded.verify(line.blob[8:], wanted)


def test_an_ml_dsa_vkey() -> None:
    key = PQ.key
    assert VerifierKey.parse(key.encode()) == key
    material = base64.b64decode(key.encode().split("+", 2)[2])
    assert (material[0], len(material)) == (0x06, 1 + 1312)
    with pytest.raises(KeyMalformed):
        VerifierKey(key.name, ML_DSA_44, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        HEAD.replace("\n5\n", "\n6\n"),
        HEAD.replace("log.example/one", "log.example/two"),
        HEAD.replace("AAEC", "BAEC"),
        HEAD + "extension\n",  # it would be signed by nobody
        "no head\n",
    ],
)
def test_ml_dsa_binds_the_whole_head(text: str) -> None:
    with pytest.raises(NoteForged):
        Note(text, (PQ.sign(HEAD, 9),)).verify([PQ.key])


def test_ml_dsa_binds_the_name_and_the_time() -> None:
    line = PQ.sign(HEAD, 9)
    other = VerifierKey("log.example/else", ML_DSA_44, PQ.key.public)
    with pytest.raises(NoteForged):
        Note(HEAD, (NoteSignature(other.name, other.id, line.blob),)).verify([other])
    late = NoteSignature(line.name, line.key_id, bytes([0] * 7 + [8]) + line.blob[8:])
    with pytest.raises(NoteForged):
        Note(HEAD, (late,)).verify([PQ.key])
    short = NoteSignature(line.name, line.key_id, line.blob[:-1])
    with pytest.raises(NoteForged):
        Note(HEAD, (short,)).verify([PQ.key])


def test_ml_dsa_signs_no_extension_and_no_long_name() -> None:
    with pytest.raises(ValueError, match="extension"):
        PQ.sign(HEAD + "more\n", 9)
    long = NoteSigner.from_seed("n" * 256, b"\x07" * 32, ML_DSA_44)
    with pytest.raises(ValueError, match="255"):
        long.sign(HEAD, 9)


def test_a_part_has_no_time() -> None:
    # tlog-cosignature: with a start other than zero, the timestamp MUST be zero.
    digest = bytes(range(32))
    line = PQ.sign_subtree("log.example/one", 8, 13, digest)
    assert line.blob[:8] == bytes(8)
    assert check_subtree(PQ.key, line, "log.example/one", 8, 13, digest)
    for start, holds in ((8, False), (0, True)):
        message = (
            b"subtree/v1\n\0\x0flog.example/one"
            + (9).to_bytes(8, "big")
            + b"\x0flog.example/one"
            + start.to_bytes(8, "big")
            + (13).to_bytes(8, "big")
            + digest
        )
        timed = NoteSignature(
            PQ.key.name, PQ.key.id, (9).to_bytes(8, "big") + PQ.sign_bytes(message)
        )
        assert check_subtree(PQ.key, timed, "log.example/one", start, 13, digest) is holds
    with pytest.raises(ValueError, match="subtrees"):
        LOG.sign_subtree("log.example/one", 8, 13, digest)


def test_a_log_of_two_keys_is_one_signer_beside_another() -> None:
    log = NoteSigner(LOG.key, LOG.sign_bytes, (PQ,))
    lines = log.lines(HEAD)
    assert [(s.name, s.key_id) for s in lines] == [(k.name, k.id) for k in (LOG.key, PQ.key)]


def test_points_under_which_anybody_signs_are_no_keys() -> None:
    with pytest.raises(KeyMalformed):
        VerifierKey("log.example/one", ED25519, bytes([1, *[0] * 31]))
