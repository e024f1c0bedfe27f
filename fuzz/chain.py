"""Targets for the registry: notes and checkpoints, proofs, trust bundles, entries."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from fuzz.target import Target, chosen, either
from registry.contracts import LIBRARY, Engine, Party, PolicyText, Request, library_text
from registry.errors import RegistryError
from registry.ledger.entries import anchor_entry, parse_entry
from registry.ledger.genesis import Genesis
from registry.ledger.submission import Submission, seal
from registry.simulation.simulator import Consortium
from registry.tlog.checkpoint import Checkpoint, open_checkpoint
from registry.tlog.merkle import Frontier, LeafReader, inclusion_proof, leaf_hash, root_of
from registry.tlog.note import ED25519_COSIGNATURE, Note, NoteSigner, VerifierKey
from registry.tlog.policy import Policy
from registry.tlog.proofs import TlogProof
from registry.tlog.tiles import CompactProof, Tile, decode_bundle, encode_bundle, parse_tile
from registry.trust import LongProof, TrustBundle
from registry.trust.container import pack, unpack

ORIGIN = "log.example/main"
LOG = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)
NODE = NoteSigner.from_seed("node.example/a", b"\x03" * 32, ED25519_COSIGNATURE)
POLICY = Policy.k_of_n(1, {"a": NODE.key}, [LOG.key])
LEAVES = [leaf_hash(bytes([number])) for number in range(11)]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _cosigned() -> bytes:
    note = Note.parse(Checkpoint(ORIGIN, len(LEAVES), root_of(LEAVES)).sign(LOG))
    return note.with_signatures([NODE.sign(note.text, 1234)]).encode()


# Notes


def _read_any_note(data: bytes) -> None:
    note = Note.parse(data)
    if note.encode() != data:
        raise AssertionError("another note came back")
    note.verify([LOG.key, NODE.key])


def _open_signed(data: bytes) -> None:
    """A text of the log's own: the log is the attacker."""
    note = Note(_text(data), ())
    open_checkpoint(
        note.with_signatures([LOG.sign(note.text)]).encode(), ORIGIN, [LOG.key], [NODE.key]
    )


def _read_note(data: bytes) -> None:
    either(
        data,
        _read_any_note,
        _open_signed,
        lambda rest: POLICY.check(rest, origin=ORIGIN),
        lambda rest: VerifierKey.parse(_text(rest)),
        Policy.parse,
        lambda rest: Checkpoint.parse(_text(rest)),
    )


def _note_seeds() -> list[bytes]:
    note = _cosigned()
    text = Note.parse(note).text.encode()
    return [
        chosen(0, note),
        chosen(1, text),
        chosen(2, note),
        chosen(3, LOG.key.encode().encode()),
        chosen(4, POLICY.encode()),
        chosen(5, text),
    ]


# Proofs and tiles


def _read_frontier(data: bytes) -> None:
    if Frontier.from_bytes(data).to_bytes() != data:
        raise AssertionError("another frontier came back")


def _read_tlog(data: bytes) -> None:
    proof = TlogProof.parse(data)
    if TlogProof.parse(proof.encode()) != proof:
        raise AssertionError("another proof came back")
    proof.verify(LEAVES[4], POLICY)


def _read_compact(data: bytes) -> None:
    if CompactProof.decode(data).encode() != data:
        raise AssertionError("another proof came back")


def _read_proof(data: bytes) -> None:
    either(
        data,
        _read_tlog,
        LongProof.parse,
        _read_compact,
        lambda rest: parse_tile(Tile(0, 0, 11), rest),
        decode_bundle,
        lambda rest: Tile.parse(_text(rest)),
    )


def _proof_seeds() -> list[bytes]:
    path = inclusion_proof(4, len(LEAVES), LeafReader(LEAVES))
    plain = TlogProof(4, tuple(path), _cosigned())
    extra = TlogProof(4, tuple(path), _cosigned(), b'{"entry":{},"index":1,"path":[]}')
    return [
        chosen(0, plain.encode()),
        chosen(1, extra.encode()),
        chosen(2, CompactProof.build(4, LEAVES).encode()),
        chosen(3, b"".join(LEAVES)),
        chosen(4, encode_bundle([b"one", b"two"])),
        chosen(5, b"tile/0/x001/234.p/5"),
    ]


# Trust bundles and entries, of a whole consortium in memory


@cache
def _world() -> tuple[Genesis, bytes, dict[str, bytes], bytes, list[bytes]]:
    with tempfile.TemporaryDirectory() as folder, Consortium(Path(folder)) as chain:
        issuer, verifier = chain.add_issuer(), chain.add_verifier()
        chain.entitle(verifier.did)
        entries = [anchor_entry(issuer.did, bytes([number]) * 32) for number in range(5)]
        origin = chain.genesis.identity_origin
        chain.client.submit(origin, entries, issuer.key, issuer.key_url)
        chain.settle()
        raw = chain.client.trust_bundle()
        files = unpack(raw)
        sealed = seal(
            origin,
            entries,
            submitter=issuer.did,
            key_url=issuer.key_url,
            signer=issuer.key,
            now=chain.now,
        )
        genesis = chain.genesis
        lines = [entry.raw for entry in entries]
        return genesis, raw, files, sealed.encode(), lines


def _load(data: bytes) -> None:
    genesis, *_ = _world()
    TrustBundle.load(data, genesis)


def _load_exchanged(data: bytes) -> None:
    """One file of a good bundle exchanged."""
    _, _, files, _, _ = _world()
    names = sorted(files)
    if data:
        _load(pack({**files, names[data[0] % len(names)]: data[1:]}))


def _read_bundle(data: bytes) -> None:
    either(data, _load, _load_exchanged, unpack)


def _bundle_seeds() -> list[bytes]:
    _, raw, files, _, _ = _world()
    exchanged = [
        chosen(1, bytes([number]) + files[name]) for number, name in enumerate(sorted(files))
    ]
    return [chosen(0, raw), *exchanged, chosen(2, raw)]


def _read_entry(data: bytes) -> None:
    either(
        data,
        parse_entry,
        lambda rest: Submission.parse(_world()[0].identity_origin, rest),
        Genesis.parse,
    )


def _entry_seeds() -> list[bytes]:
    genesis, _, _, sealed, lines = _world()
    return [
        chosen(0, lines[0]),
        chosen(1, sealed),
        chosen(2, genesis.entry.raw),
    ]


def _judge_by(data: bytes) -> None:
    """Whatever text may stand as a contract decides, and does not end the process."""
    policy = PolicyText.parse(_text(data), "trial")
    engine = Engine((rule.id, rule) for rule in policy.rules)
    for action in policy.actions:
        engine.judge(
            Request(
                Party("Issuer", "did:web:i", {"did": "did:web:i", "types": [], "chains": []}),
                action,
                Party("Chain", "n/c", {"purpose": "anchors", "scenario": "s", "epoch": 3}),
                {"inForce": True, "chainIncluded": False, "list": "https://x.example/1"},
            )
        )


def _policy_seeds() -> list[bytes]:
    deep = '@id("a") permit (principal, action == Action::"anchor", resource) when { if ((true)) '
    return [
        *(library_text(name).encode() for name in LIBRARY),
        (deep + "then [1].contains(2) else !(1 < 2) };").encode(),
    ]


TARGETS = (
    Target("contract", RegistryError, _judge_by, _policy_seeds),
    Target("note", RegistryError, _read_note, _note_seeds),
    Target("tlog-proof", RegistryError, _read_proof, _proof_seeds),
    Target("trust-bundle", RegistryError, _read_bundle, _bundle_seeds),
    Target("entry", RegistryError, _read_entry, _entry_seeds),
)
