"""Checkpoints: parsing to the letter, and whose signature counts."""

from __future__ import annotations

import pytest

from registry.errors import (
    CheckpointForeign,
    CheckpointMalformed,
    NoteForged,
    NoteMalformed,
    NoteUnsigned,
)
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.lines import encode_hash, parse_decimal
from registry.tlog.merkle import EMPTY_ROOT
from registry.tlog.note import ED25519_COSIGNATURE, Note, NoteSignature, NoteSigner

ORIGIN = "hangzhou.example/main"
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
NODE = NoteSigner.from_seed("node.example/a", b"\x02" * 32, ED25519_COSIGNATURE)
ROOT = bytes(range(32))


def test_text_and_back() -> None:
    checkpoint = Checkpoint(ORIGIN, 20852163, ROOT)
    assert checkpoint.text == f"{ORIGIN}\n20852163\n{encode_hash(ROOT)}\n"
    assert Checkpoint.parse(checkpoint.text) == checkpoint


def test_extension_lines_are_kept_and_signed() -> None:
    checkpoint = Checkpoint(ORIGIN, 1, ROOT, ("one", "two"))
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    opened = open_checkpoint(checkpoint.sign(LOG), ORIGIN, [LOG.key])
    assert opened.checkpoint == checkpoint


R = encode_hash(ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n5\n",
        f"{ORIGIN}\n5\n{R}",
        f"\n5\n{R}\n",
        f"{ORIGIN}\n05\n{R}\n",
        f"{ORIGIN}\n+5\n{R}\n",
        f"{ORIGIN}\n 5\n{R}\n",
        f"{ORIGIN}\n-5\n{R}\n",
        f"{ORIGIN}\n٥\n{R}\n",
        f"{ORIGIN}\n\n{R}\n",
        f"{ORIGIN}\n9223372036854775808\n{R}\n",
        f"{ORIGIN}\n5\n{R[:-1]}\n",
        f"{ORIGIN}\n5\n{R}=\n",
        f"{ORIGIN}\n5\nAAAA\n",
        f"{ORIGIN}\n5\n{R}\n\n",
        f"{ORIGIN}\n5\n{R}\n\nx\n",
        f"{ORIGIN}\n0\n{R}\n",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(CheckpointMalformed):
        Checkpoint.parse(text)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Checkpoint.parse(Checkpoint(ORIGIN, 0, EMPTY_ROOT).text).size == 0


@pytest.mark.parametrize(
    "origin", ["a b", "a+b", "+", " ", "源/一", "— x y", "0", "a\x7f", "é" * 500]
)
def test_an_origin_may_be_any_line(origin: str) -> None:
    # tlog-checkpoint, "Note text": clients MUST NOT assume that it looks like an address.
    checkpoint = Checkpoint(origin, 5, ROOT)
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    note = Note(checkpoint.text, (NODE.sign(checkpoint.text, 9),)).encode()
    assert Checkpoint.parse(Note.parse(note).text) == checkpoint


def test_opened_with_cosigners() -> None:
    checkpoint = Checkpoint(ORIGIN, 5, ROOT)
    note = Note.parse(checkpoint.sign(LOG)).with_signatures([NODE.sign(checkpoint.text, 99)])
    opened = open_checkpoint(note.encode(), ORIGIN, [LOG.key], [NODE.key])
    assert (opened.origin, opened.size, opened.root) == (ORIGIN, 5, ROOT)
    assert opened.cosignatures == {NODE.key: 99}
    # Unknown cosigners neither count nor harm.
    assert open_checkpoint(note.encode(), ORIGIN, [LOG.key]).cosignatures == {}


def test_a_node_alone_does_not_make_a_checkpoint() -> None:
    text = Checkpoint(ORIGIN, 5, ROOT).text
    data = Note(text, (NODE.sign(text, 99),)).encode()
    with pytest.raises(NoteUnsigned):
        open_checkpoint(data, ORIGIN, [LOG.key], [NODE.key])
    with pytest.raises(NoteUnsigned):
        open_checkpoint(data, ORIGIN, [LOG.key, NODE.key])


def test_the_key_of_another_log_does_not_count() -> None:
    other = NoteSigner.from_seed("hangzhou.example/identity", b"\x05" * 32)
    data = Checkpoint(ORIGIN, 5, ROOT).sign(other)
    with pytest.raises(NoteUnsigned):
        open_checkpoint(data, ORIGIN, [LOG.key, other.key])


def test_another_origin_is_refused() -> None:
    data = Checkpoint("hangzhou.example/identity", 5, ROOT).sign(LOG)
    with pytest.raises(CheckpointForeign) as caught:
        open_checkpoint(data, ORIGIN, [LOG.key])
    assert caught.value.params["found"] == "hangzhou.example/identity"


def test_forged_and_broken() -> None:
    checkpoint = Checkpoint(ORIGIN, 5, ROOT)
    data = checkpoint.sign(LOG)
    with pytest.raises(NoteForged):
        open_checkpoint(data.replace(b"\n5\n", b"\n6\n"), ORIGIN, [LOG.key])
    with pytest.raises(NoteMalformed):
        open_checkpoint(data[:-1], ORIGIN, [LOG.key])
    broken = Note.parse(data).with_signatures(
        [NoteSignature(NODE.key.name, NODE.key.id, bytes(72))]
    )
    with pytest.raises(NoteForged):
        open_checkpoint(broken.encode(), ORIGIN, [LOG.key], [NODE.key])


def test_decimal_limits() -> None:
    assert parse_decimal("0") == 0
    assert parse_decimal(str(2**63 - 1)) == 2**63 - 1
    for text in ("", "00", "1_0", str(2**63)):
        with pytest.raises(ValueError, match="decimal"):
            parse_decimal(text)
