"""`docs/formats.md` is enough: a second reader, written from that page alone, agrees.

Nothing of the project reads here but what makes the artefacts. Hashes, signatures and JSON come
from hashlib, cryptography and rfc8785.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from credentials.exchange import AccessRecord, commitment_of, sign_receipt
from registry.ledger.entries import anchor_entry
from registry.simulation.simulator import Consortium, Party

ANCHORS = 300


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def multibase(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unmultibase(text: str) -> bytes:
    assert text[0] == "u"
    return base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))


def leaf(entry: dict[str, Any]) -> bytes:
    return sha(b"\x00", rfc8785.dumps(entry))


def tree(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return sha(b"\x01", tree(hashes[:split]), tree(hashes[split:]))


def climb(index: int, size: int, start: bytes, path: Sequence[bytes]) -> bytes:
    """RFC 9162 §2.1.3.2."""
    node, last, found = index, size - 1, start
    for sibling in path:
        if node & 1 or node == last:
            found = sha(b"\x01", sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = sha(b"\x01", found, sibling)
        node, last = node >> 1, last >> 1
    assert last == 0
    return found


def verify_p256(multikey: str, signature: bytes, message: bytes) -> None:
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number = 0
    for character in multikey[1:]:
        number = number * 58 + alphabet.index(character)
    raw = number.to_bytes(35, "big")
    assert raw[:2] == b"\x80\x24"
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw[2:])
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))


class Made:
    """A network with some anchors, and what a stranger gets of it."""

    def __init__(self, chain: Consortium) -> None:
        self.chain = chain
        self.issuer: Party = chain.add_issuer("did:web:data.example")
        self.anchors = [sha(b"anchor", n.to_bytes(4, "big")) for n in range(ANCHORS)]
        chain.client.submit(
            chain.genesis.identity_origin,
            [anchor_entry(self.issuer.did, anchor) for anchor in self.anchors],
            self.issuer.key,
            self.issuer.key_url,
        )
        chain.settle()
        archive = zipfile.ZipFile(io.BytesIO(chain.bundle().raw))
        self.files = {name: archive.read(name) for name in archive.namelist()}
        self.genesis = json.loads(self.files["genesis.json"])
        lines = [json.loads(line) for line in self.files["main/entries.jsonl"].splitlines()]
        self.entries = {line["index"]: line["entry"] for line in lines}
        self.paths = {line["index"]: line["path"] for line in lines}

    def head(self) -> tuple[str, int, bytes]:
        text = self.files["main/checkpoint"].decode().partition("\n\n")[0]
        origin, size, root = text.split("\n")
        return origin, int(size), base64.b64decode(root)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    with Consortium(tmp_path_factory.mktemp("formats")) as chain:
        yield Made(chain)


def test_the_checkpoint_bears_the_log_and_the_quorum(made: Made) -> None:
    text, _, signatures = made.files["main/checkpoint"].decode().partition("\n\n")
    lines: dict[tuple[str, str], bytes] = {}
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        assert dash == "\u2014"
        data = base64.b64decode(encoded)
        lines[name, data[:4].hex()] = data[4:]
    keys: dict[tuple[str, str], bytes] = {}
    parties = [made.genesis["logKey"], made.genesis["mlDsaKey"]]
    parties += [node[member] for node in made.genesis["nodes"] for member in ("vkey", "mlDsaKey")]
    for vkey in parties:
        name, identifier, material = vkey.split("+", 2)
        raw = base64.b64decode(material)
        assert sha(name.encode(), b"\n", raw)[:4].hex() == identifier
        keys[name, identifier] = raw
    origin, size, root = text.split("\n")
    cosigners: dict[int, set[str]] = {4: set(), 6: set()}
    for (name, identifier), data in lines.items():
        kind, public = keys[name, identifier][0], keys[name, identifier][1:]
        message, signature = f"{text}\n".encode(), data
        if kind in (4, 6):
            seconds, signature = int.from_bytes(data[:8], "big"), data[8:]
            cosigners[kind].add(name)
            assert (seconds == 0) == (name == origin)
        if kind == 4:
            message = f"cosignature/v1\ntime {seconds}\n".encode() + message
        if kind == 6:
            message = b"subtree/v1\n\0" + bytes([len(name)]) + name.encode()
            message += seconds.to_bytes(8, "big") + bytes([len(origin)]) + origin.encode()
            message += bytes(8) + int(size).to_bytes(8, "big") + base64.b64decode(root)
            MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    assert origin == made.genesis["origin"]
    assert origin in cosigners[6]
    assert len(cosigners[4]) >= made.genesis["quorum"]
    assert cosigners[6] == cosigners[4] | {origin}


def test_every_entry_of_the_bundle_is_under_the_checkpoint(made: Made) -> None:
    _, size, root = made.head()
    for index, entry in made.entries.items():
        path = [base64.b64decode(sibling) for sibling in made.paths[index]]
        assert climb(index, size, leaf(entry), path) == root


def test_a_seal_signs_what_precedes_it(made: Made) -> None:
    last = max(made.entries)
    seal = made.entries[last]
    sealed = [made.entries[last - seal["count"] + offset] for offset in range(seal["count"])]
    assert unmultibase(seal["root"]) == tree([leaf(entry) for entry in sealed])
    unsigned = rfc8785.dumps({name: seal[name] for name in seal if name != "sig"})
    message = b"zhenglian/seal/v1\0" + made.genesis["origin"].encode() + b"\0" + unsigned
    multikey = seal["key"].partition("#")[2]
    verify_p256(multikey, unmultibase(seal["sig"]), message)


def newest(made: Made, origin: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        entry
        for entry in made.entries.values()
        if entry["kind"] == "checkpoint" and entry["origin"] == origin
    ]
    return found[-1]


def split(data: bytes) -> list[bytes]:
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def test_a_side_chain_leads_to_its_recorded_root(made: Made) -> None:
    recorded = newest(made, made.chain.genesis.identity_origin)
    tiles = split(made.files["sides/identity/tiles"])
    leaves = split(made.files["sides/identity/leaves"])
    full, partial = divmod(recorded["size"], 256)
    assert (len(tiles), len(leaves)) == (full, 256 + partial)
    assert tree(leaves[:256]) == tiles[-1]
    assert tree([*tiles, tree(leaves[-partial:])]) == unmultibase(recorded["root"])
    lists = made.files["sides/identity/lists.jsonl"]
    assert lists == b""
    assert recorded["lists"] == multibase(b"\x12\x20" + sha(rfc8785.dumps({"lists": []})))


@pytest.mark.parametrize("position", [0, 77, 255, 256, 299])
def test_a_compact_proof_leads_to_what_the_bundle_holds(made: Made, position: int) -> None:
    origin = made.chain.genesis.identity_origin
    proof = made.chain.client.compact_proof(origin, position)
    mine = leaf(
        {
            "kind": "anchor",
            "v": 1,
            "issuer": made.issuer.did,
            "anchor": multibase(made.anchors[position]),
        }
    )
    index, siblings = int.from_bytes(proof[:5], "big"), split(proof[5:])
    assert index == position
    if siblings:
        tiles = split(made.files["sides/identity/tiles"])
        assert climb(index % 256, 256, mine, siblings) == tiles[index // 256]
    else:
        assert len(proof) == 5
        assert split(made.files["sides/identity/leaves"])[256 + index % 256] == mine


def test_a_receipt_holds_record_and_salt_of_its_commitment(made: Made) -> None:
    desk = made.chain.add_verifier("did:web:desk.example")
    record = AccessRecord(
        verifier=desk.did,
        claims=("/credentialSubject/name",),
        purpose={"zh-CN": "核实", "en": "Check"},
        entitlement="check",
        legal_basis={"zh-CN": "法", "en": "law"},
        time=made.chain.now,
        presentation=multibase(sha(b"presentation")),
    )
    token = sign_receipt(
        record,
        salt=bytes(range(32)),
        chain=made.chain.genesis.access_origin,
        promise_by=made.chain.now + timedelta(hours=24),
        signer=desk.key,
        kid=desk.key_url,
    )
    header, payload, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    assert json.loads(header) == {"alg": "ES256", "typ": "zl-receipt+jwt", "kid": desk.key_url}
    told = json.loads(payload)
    assert set(told) == {"record", "salt", "chain", "promiseBy"}
    (method,) = desk.document["verificationMethod"]
    signed = token.rpartition(".")[0].encode()
    verify_p256(method["publicKeyMultibase"], signature, signed)
    mine = sha(b"zhenglian/access/v1\0", unmultibase(told["salt"]), rfc8785.dumps(told["record"]))
    assert mine == commitment_of(record, bytes(range(32)))
