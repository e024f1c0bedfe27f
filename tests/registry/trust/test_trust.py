"""A trust bundle is authentic by its contents: every change to it has a name."""

from __future__ import annotations

import io
import json
import os
import socket
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from credentials.dids import KeyResolver
from credentials.proofs import add_proof
from registry.errors import (
    AnchorInvalid,
    AnchorUnknown,
    BundleCorrupt,
    BundleForged,
    QuorumMissing,
    RegistryError,
)
from registry.ledger.entries import anchor_entry, anchor_leaf_hash, status_entry
from registry.ledger.members import document_digest
from registry.simulation.simulator import START, Consortium, Party
from registry.tlog.checkpoint import Checkpoint
from registry.tlog.note import Note
from registry.tlog.tiles import CompactProof
from registry.trust import LongProof, TrustBundle
from registry.trust.container import pack, unpack

LIST = "https://issuer.example/status/1"


@dataclass(frozen=True)
class World:
    chain: Consortium
    issuer: Party
    verifier: Party
    anchors: list[bytes]
    bundle: TrustBundle
    older: TrustBundle
    document: dict[str, Any]


def list_document(issuer: Party, number: int) -> dict[str, Any]:
    document = {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": LIST,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer.did,
        "validFrom": f"2026-11-22T0{number}:00:00Z",
        "credentialSubject": {
            "id": LIST + "#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA",
        },
    }
    return dict(
        add_proof(
            document,
            cryptosuite="ecdsa-rdfc-2019",
            signer=issuer.key,
            verification_method=issuer.key_url,
            created=START,
        )
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Consortium(tmp_path_factory.mktemp("trust")) as chain:
        issuer, verifier = chain.add_issuer(), chain.add_verifier()
        chain.entitle(verifier.did)
        origin = chain.genesis.identity_origin
        anchors = [os.urandom(32) for _ in range(700)]

        def submit(entries: list[Any]) -> None:
            chain.client.submit(origin, entries, issuer.key, issuer.key_url)

        submit([anchor_entry(issuer.did, anchor) for anchor in anchors[:200]])
        old = list_document(issuer, 1)
        chain.client.put_status_list(old)
        submit([status_entry(issuer.did, LIST, document_digest(old), chain.now)])
        chain.settle()
        older = chain.bundle()
        chain.advance(minutes=1)
        submit([anchor_entry(issuer.did, anchor) for anchor in anchors[200:]])
        document = list_document(issuer, 2)
        chain.client.put_status_list(document)
        submit([status_entry(issuer.did, LIST, document_digest(document), chain.now)])
        chain.settle()
        chain.advance(seconds=30)
        chain.add_verifier("did:web:late.example")
        bundle = chain.bundle()
        yield World(chain, issuer, verifier, anchors, bundle, older, document)


def files(world: World) -> dict[str, bytes]:
    return unpack(world.bundle.raw)


def load(world: World, changed: dict[str, bytes]) -> TrustBundle:
    return TrustBundle.load(pack(changed), world.chain.genesis)


def rows(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def text(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(rfc8785.dumps(line) + b"\n" for line in lines)


# What it says


def test_it_says_what_the_chain_says(world: World) -> None:
    bundle, genesis = world.bundle, world.chain.genesis
    accreditation = bundle.issuer(world.issuer.did)
    assert accreditation is not None
    assert accreditation.types == ("ResidentIdentityCredential",)
    assert accreditation.chains == (genesis.identity_origin,)
    assert accreditation.covers(START)
    assert not accreditation.covers(START - timedelta(seconds=1))
    assert bundle.verifier(world.verifier.did) is not None
    assert bundle.verifier(world.issuer.did) is None
    assert bundle.issuer("did:web:nobody.example") is None
    [entitlement] = bundle.entitlements(world.verifier.did)
    assert entitlement == bundle.entitlement("age-check")
    assert "/credentialSubject/name" in entitlement.claims
    assert bundle.origin_for("identity") == genesis.identity_origin
    assert bundle.origin_for("nothing") is None
    assert bundle.age(world.chain.now) == world.chain.now - bundle.time
    assert bundle.verifier("did:web:late.example") is not None  # behind the last checkpoint entry
    assert [i.did for i in bundle.issuers()] == [world.issuer.did]
    assert len(list(bundle.verifiers())) == 2


def test_it_resolves_accredited_keys_and_did_key(world: World) -> None:
    method = world.bundle.resolver.resolve(world.issuer.key_url, "assertionMethod")
    assert method.public_key == world.issuer.key.public_key
    from credentials.dids import key_url

    url = key_url(world.verifier.key.public_key)
    assert world.bundle.resolver.resolve(url, "authentication") == KeyResolver().resolve(
        url, "authentication"
    )


def test_it_has_the_digests_of_schemas_and_contexts(world: World) -> None:
    from credentials.contexts import bundled_contexts
    from schemas.digests import digest_multibase
    from schemas.scenario import all_scenarios

    for scenario in all_scenarios():
        assert world.bundle.digest_of(scenario.schema_url) == scenario.schema_digest
        assert world.bundle.digest_of(scenario.context_url) == scenario.context_digest
    contexts = bundled_contexts()
    for url in contexts:
        assert world.bundle.digest_of(url) == digest_multibase(contexts.record(url).data)
    assert world.bundle.digest_of("https://nobody.example") is None


def test_it_has_the_newest_status_list(world: World) -> None:
    snapshot = world.bundle.status_list(LIST)
    assert snapshot is not None
    assert snapshot.credential == world.document
    assert snapshot.issuer == world.issuer.did
    older = world.older.status_list(LIST)
    assert older is not None
    assert older.anchored_at < snapshot.anchored_at
    assert world.bundle.status_list(LIST + "0") is None


def test_it_needs_no_network(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    path = tmp_path / "b.zltrust"
    path.write_bytes(world.bundle.raw)
    monkeypatch.setattr(socket, "socket", forbidden)
    assert TrustBundle.load(path, world.chain.genesis).time == world.bundle.time


def test_the_same_state_gives_the_same_bytes(world: World) -> None:
    assert world.chain.client.trust_bundle() == world.bundle.raw


# Anchors


def leaf(world: World, number: int) -> bytes:
    return anchor_leaf_hash(world.issuer.did, world.anchors[number])


@pytest.mark.parametrize("number", [0, 5, 199, 255, 300, 500, 699])
def test_a_compact_proof_shows_an_anchor(world: World, number: int) -> None:
    origin = world.chain.genesis.identity_origin
    index = world.chain.client.lookup(origin, leaf(world, number))
    proof = world.chain.client.compact_proof(origin, index)
    assert len(proof) in (5, 261)
    found = world.bundle.anchor(origin, leaf(world, number), proof)
    assert (found.origin, found.index, found.time) == (origin, index, world.bundle.time)


def test_a_wrong_proof_is_invalid_and_a_lack_of_knowledge_is_unknown(world: World) -> None:
    origin, bundle, client = world.chain.genesis.identity_origin, world.bundle, world.chain.client
    full = client.compact_proof(origin, 3)
    assert len(full) == 261
    for spoiled in (
        b"",
        full[:-1],
        full[:40] + bytes([full[40] ^ 1]) + full[41:],
        CompactProof(2, CompactProof.decode(full).siblings).encode(),
        client.compact_proof(origin, 4),
        CompactProof(600).encode(),  # another leaf of the partial tile
    ):
        with pytest.raises(AnchorInvalid):
            bundle.anchor(origin, leaf(world, 3), spoiled)
    with pytest.raises(AnchorUnknown):  # beyond the bundle
        bundle.anchor(origin, leaf(world, 3), CompactProof(10**6).encode())
    with pytest.raises(AnchorUnknown):  # made while its tile was not full
        bundle.anchor(origin, leaf(world, 3), CompactProof(3).encode())
    with pytest.raises(AnchorUnknown):
        bundle.anchor(world.chain.genesis.access_origin, leaf(world, 3), full)
    with pytest.raises(AnchorUnknown):  # newer than the older bundle
        world.older.anchor(origin, leaf(world, 699), client.compact_proof(origin, 500))


def test_a_proof_without_siblings_stays_good_for_one_tile_more(world: World) -> None:
    """The bundle has the leaves of the last full tile, for proofs made a little earlier."""
    origin = world.chain.genesis.identity_origin
    size = world.bundle.size_of(origin)
    last_full = size // 256 - 1
    index = last_full * 256 + 7
    [entry] = world.chain.client.entries(origin, index, index + 1)
    found = world.bundle.anchor(origin, entry.leaf_hash, CompactProof(index).encode())
    assert found.index == index


def test_a_newer_proof_checks_against_an_older_bundle(world: World) -> None:
    origin = world.chain.genesis.identity_origin
    proof = world.chain.client.compact_proof(origin, 5)
    assert len(proof) == 261  # the older bundle has that tile as a partial one
    assert world.older.anchor(origin, leaf(world, 5), proof).index == 5


def test_a_long_proof_needs_only_the_genesis(world: World) -> None:
    origin, client = world.chain.genesis.identity_origin, world.chain.client
    index = client.lookup(origin, leaf(world, 699))
    proof = client.long_proof(origin, index)
    found = world.older.check_long_proof(origin, leaf(world, 699), proof, now=world.chain.now)
    assert found.index == index
    assert found.time > world.older.time
    with pytest.raises(AnchorInvalid):
        world.older.check_long_proof(origin, leaf(world, 698), proof)
    with pytest.raises(AnchorInvalid):
        world.older.check_long_proof(world.chain.genesis.access_origin, leaf(world, 699), proof)
    with pytest.raises(QuorumMissing):  # all cosignatures would come from the future
        world.older.check_long_proof(origin, leaf(world, 699), proof, now=START.replace(year=2020))


def test_no_changed_byte_of_a_long_proof_passes(world: World) -> None:
    origin = world.chain.genesis.identity_origin
    proof = world.chain.client.long_proof(origin, 640)
    [entry] = world.chain.client.entries(origin, 640, 641)
    # The log's and the first three nodes' signatures are needed; a fourth is a bonus.
    for position in range(0, proof.rindex(b"\xe2\x80\x94"), 7):
        changed = proof[:position] + bytes([proof[position] ^ 1]) + proof[position + 1 :]
        try:
            found = LongProof.parse(changed).verify(world.chain.genesis, origin, entry.leaf_hash)
        except RegistryError:
            continue
        assert found.index == 640, position  # a signature line of an unknown name is ignored


# Damage and forgery


def test_no_flipped_bit_passes(world: World) -> None:
    raw = world.bundle.raw
    for position in range(0, len(raw), 97):
        changed = raw[:position] + bytes([raw[position] ^ 4]) + raw[position + 1 :]
        with pytest.raises(BundleCorrupt):
            TrustBundle.load(changed, world.chain.genesis)
    for cut in (0, 10, len(raw) // 2, len(raw) - 1):
        with pytest.raises(BundleCorrupt):
            TrustBundle.load(raw[:cut], world.chain.genesis)
    for longer in (raw + b"\x00", b"\x00" + raw):
        with pytest.raises(BundleCorrupt):
            TrustBundle.load(longer, world.chain.genesis)


def test_every_file_counts(world: World) -> None:
    """Repacked with right checksums, so that the contents decide."""
    whole = files(world)
    assert load(world, whole).raw == world.bundle.raw
    for name, data in whole.items():
        for position in {0, len(data) // 3, len(data) // 2, len(data) - 2} if data else set():
            changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
            with pytest.raises((BundleCorrupt, BundleForged, QuorumMissing)):
                loaded = load(world, {**whole, name: changed})
                # A cosignature beyond the quorum may be damaged into one that is unknown.
                assert name == "main/checkpoint"
                assert len(loaded.main_checkpoint.cosigners) == 3
                raise QuorumMissing(origin="", found=3, needed=3)
        if name.startswith("status/"):
            continue
        with pytest.raises(BundleCorrupt) as missing:
            load(world, {k: v for k, v in whole.items() if k != name})
        assert missing.value.params["part"] == name
    with pytest.raises(BundleCorrupt):
        load(world, {**whole, "extra.json": b"{}"})


def test_a_status_list_that_is_left_out_is_unknown(world: World) -> None:
    whole = {k: v for k, v in files(world).items() if not k.startswith("status/")}
    assert load(world, whole).status_list(LIST) is None


def test_the_wrong_genesis_refuses_everything(world: World, tmp_path: Path) -> None:
    with Consortium(tmp_path, network="other.example") as other:
        with pytest.raises(BundleCorrupt):
            TrustBundle.load(world.bundle.raw, other.genesis)
        same_name = files(world)
        same_name["bundle.json"] = unpack(other.bundle().raw)["bundle.json"]
        with pytest.raises(BundleForged) as forged:
            TrustBundle.load(pack(same_name), other.genesis)
        assert forged.value.params["part"] == "genesis.json"


def test_two_cosignatures_are_no_quorum(world: World) -> None:
    whole = files(world)
    note = Note.parse(whole["main/checkpoint"])
    # Everybody signs by two keys, and counts once: the log, then the nodes.
    assert len(note.signatures) == 2 * 5
    for fewer in (note.signatures[:6], (*note.signatures[:2], *note.signatures[2:6:2])):
        with pytest.raises(QuorumMissing):
            load(world, {**whole, "main/checkpoint": Note(note.text, fewer).encode()})
    for three in (note.signatures[:8], note.signatures[:8:2], note.signatures[1:8:2]):
        data = Note(note.text, three).encode()
        assert load(world, {**whole, "main/checkpoint": data}).time == world.bundle.time
    nobody = Note(note.text, note.signatures[2:]).encode()
    with pytest.raises(BundleForged):
        load(world, {**whole, "main/checkpoint": nobody})


def test_a_checkpoint_of_the_operator_alone_is_no_quorum(world: World) -> None:
    whole = files(world)
    size = world.bundle.main_checkpoint.size
    signer = world.chain.keys.sequencer(world.chain.genesis.network).signer(
        world.chain.genesis.origin
    )
    forged = Checkpoint(world.chain.genesis.origin, size, bytes(32)).sign(signer)
    with pytest.raises(QuorumMissing):
        load(world, {**whole, "main/checkpoint": forged})


def drop(kind: str, position: int = -1) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        found = [line for line in lines if line["entry"]["kind"] == kind]
        lines.remove(found[position])

    return change


@pytest.mark.parametrize(
    "change",
    [
        drop("issuer"),
        drop("verifier", 0),
        drop("verifier", -1),
        drop("entitlement"),
        drop("resource"),
        drop("genesis"),
        drop("checkpoint", 0),
        drop("checkpoint", -1),
        drop("seal"),
        lambda lines: lines.clear(),
        lambda lines: lines[3]["path"].pop(),
        lambda lines: lines[3].update(index=lines[3]["index"] + 1),
        lambda lines: lines[1]["entry"].update(scenario="other"),
        lambda lines: lines.reverse(),
        lambda lines: lines.append(lines[-1]),
    ],
    ids=range(15),
)
def test_nothing_that_counts_can_be_left_out_or_changed(
    world: World, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    whole = files(world)
    lines = rows(whole["main/entries.jsonl"])
    change(lines)
    with pytest.raises((BundleForged, BundleCorrupt)):
        load(world, {**whole, "main/entries.jsonl": text(lines)})


def test_an_older_status_list_cannot_pass_for_the_newest(world: World) -> None:
    whole, older = files(world), unpack(world.older.raw)
    lists = "sides/identity/lists.jsonl"
    mixed = {k: v for k, v in whole.items() if not k.startswith("status/")}
    mixed |= {k: v for k, v in older.items() if k.startswith("status/")}
    mixed[lists] = older[lists]
    with pytest.raises(BundleForged) as forged:
        load(world, mixed)
    assert forged.value.params["part"] == lists
    with pytest.raises(BundleForged):
        load(world, {**whole, lists: b""})


def test_parts_of_an_older_bundle_do_not_fit_a_newer_one(world: World) -> None:
    whole, older = files(world), unpack(world.older.raw)
    for name in set(whole) & set(older):
        if whole[name] == older[name]:
            continue
        with pytest.raises((BundleForged, BundleCorrupt)):
            load(world, {**whole, name: older[name]})


def archive(names: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as made:
        for name, data in names.items():
            made.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x05\x06" + bytes(18),
        archive({"../../etc/passwd": b"x"}),
        archive({"/etc/passwd": b"x"}),
        archive({"a\\b": b"x"}),
        archive({"bundle.json": bytes(10**7)}, zipfile.ZIP_DEFLATED),
        archive({"bundle.json": bytes(1000)}, zipfile.ZIP_BZIP2),
        archive({f"f{n}": b"" for n in range(5000)}),
        os.urandom(5000),
    ],
    ids=["empty", "no_files", "up", "root", "windows", "deflated", "bzip2", "many", "random"],
)
def test_hostile_archives_are_refused(world: World, data: bytes) -> None:
    with pytest.raises(BundleCorrupt):
        TrustBundle.load(data, world.chain.genesis)


def test_an_unreadable_or_huge_file_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BundleCorrupt):
        TrustBundle.load(tmp_path / "absent.zltrust", world.chain.genesis)
    monkeypatch.setattr("registry.trust.container.MAX_BUNDLE_BYTES", 1000)
    with pytest.raises(BundleCorrupt, match="too large"):
        TrustBundle.load(world.bundle.raw, world.chain.genesis)


def test_cosignatures_from_the_future_do_not_count(world: World) -> None:
    with pytest.raises(QuorumMissing):
        TrustBundle.load(world.bundle.raw, world.chain.genesis, now=START.replace(year=2020))
