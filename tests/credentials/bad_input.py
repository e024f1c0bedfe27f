"""Every kind of bad input, prepared once: for the library, the server and the command.

A case is a cause and an attempt on the library; most also hold what a stranger would send to a
server or hand over as a file with the same defect in it. What precedes the defect is in order, so
that nothing else can be the reason of the refusal.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from gzip import compress
from hashlib import sha256
from pathlib import Path
from typing import Any

from py_arkworks_bls12381 import G1Point, G2Point

from credentials.bbs import verify as verify_bbs
from credentials.canonical import default_canonicalizer
from credentials.canonical.strict_json import parse_json
from credentials.cose import MAX_MESSAGE, parse_sign1, sign1
from credentials.dids import DocumentResolver, KeyResolver, did_document, did_key, key_url
from credentials.errors import (
    BbsMalformed,
    CborMalformed,
    CborTruncated,
    CoseMalformed,
    CredentialError,
    CryptosuiteExperimental,
    CryptosuiteKeyMismatch,
    CryptosuiteUnknown,
    DidMalformed,
    JsonDuplicateKey,
    JsonEncoding,
    JsonMalformed,
    JsonNumber,
    JwsMalformed,
    KeyInvalid,
    LimitExceeded,
    ProofMalformed,
    QrTextMalformed,
    SdJwtMalformed,
    StatusListMalformed,
    TermUndefined,
    TypeUndefined,
)
from credentials.jose import parse_compact, sign_compact
from credentials.keys import KeyType, PrivateKey, PublicKey
from credentials.limits import DEFAULT_LIMITS, MAX_JSON_BYTES, MAX_JSON_DEPTH
from credentials.multibase import (
    base64url_encode,
    multibase_base58,
    multibase_base64,
    multibase_decode,
)
from credentials.proofs import add_proof, derive, verify_proof
from credentials.proofs.jcs import hash_json
from credentials.qr import cborld, decode_qr_text
from credentials.qr.cbor import write
from credentials.qr.framing import DEFLATED_CREDENTIAL, deflate, frame
from credentials.sdjwt import SdJwt
from credentials.sdjwt.unpacking import MAX_DISCLOSURES, unpack
from credentials.securing import Envelope
from credentials.status import StatusList, status_list_credential
from credentials.token_status import verify_status_list_cwt, verify_status_list_jwt
from schemas.names import CONTEXT_V2, RESIDENT_CONTEXT

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
VALID_FROM = "2024-01-01T00:00:00Z"
LIST_URL = "https://data.example/status/1"


@dataclass(frozen=True)
class Case:
    """`error` is what `attempt` raises.

    `sent` is a credential, JSON in bytes, with the same defect; `file` another form in which a
    file may hold it, and `status_list` the file of a status list where the defect lies there.
    `elsewhere` is the cause that a server or command names, where it meets another one first.
    """

    error: type[CredentialError]
    attempt: Callable[[], object]
    sent: bytes | None = None
    file: bytes | None = None
    status_list: bytes | None = None
    elsewhere: type[CredentialError] | None = None

    @property
    def code(self) -> str:
        return (self.elsewhere or self.error).code


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@cache
def key(kind: KeyType) -> PrivateKey:
    return PrivateKey.from_seed(kind, b"issuer of bad input, not a real key")


def unsigned(kind: KeyType, **more: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT_V2, RESIDENT_CONTEXT],
        "type": ["VerifiableCredential", "ResidentIdentityCredential"],
        "issuer": did_key(key(kind).public_key),
        "validFrom": VALID_FROM,
        "credentialSubject": {"type": "Resident", "name": "张三", "ageOver18": True},
        **more,
    }


def sign(document: dict[str, Any], suite: str, kind: KeyType) -> dict[str, Any]:
    return add_proof(
        document,
        cryptosuite=suite,
        signer=key(kind),
        verification_method=key_url(key(kind).public_key),
        created=NOW,
        mandatory_pointers=["/issuer"] if suite in SELECTIVE else (),
    )


@cache
def signed(suite: str, kind: KeyType) -> dict[str, Any]:
    return sign(unsigned(kind), suite, kind)


def with_proof(document: Mapping[str, Any], **proof: Any) -> dict[str, Any]:
    return {**document, "proof": {**document["proof"], **proof}}


def verify(document: Mapping[str, Any]) -> None:
    verify_proof(document, resolver=KeyResolver(), now=NOW)


def proof_case(error: type[CredentialError], document: Mapping[str, Any], **proof: Any) -> Case:
    changed = with_proof(document, **proof)
    return Case(error, partial(verify, changed), as_json(changed))


def framed(document: dict[str, Any]) -> bytes:
    """A document with what else a credential needs, and some proof: its own was never made."""
    frame = {
        "issuer": did_key(key("P-256").public_key),
        "credentialSubject": {"name": "x"},
        "proof": signed("ecdsa-rdfc-2019", "P-256")["proof"],
    }
    return as_json({**frame, **document})


def enveloped(media_type: str, content: str | bytes) -> bytes:
    return as_json(Envelope(media_type, content).document())


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {"type": ["VerifiableCredential"]}
    for _ in range(depth):
        node = {"type": ["VerifiableCredential"], "evidence": node}
    return {"@context": [CONTEXT_V2], **node}


def nested_text(depth: int) -> bytes:
    """What `nested` makes, deeper than any writer of JSON goes."""
    start = b'{"@context":["%s"],"evidence":' % CONTEXT_V2.encode()
    return start + b'{"evidence":' * depth + b"{}" + b"}" * (depth + 1)


def off_curve(prefix: bytes) -> bytes:
    """A compressed P-256 or P-384 key without a point: half of all numbers are none."""
    size = 32 if prefix == b"\x80\x24" else 48
    kind: KeyType = "P-256" if size == 32 else "P-384"
    for x in range(1, 100):
        data = b"\x02" + x.to_bytes(size, "big")
        try:
            PublicKey(kind, data)
        except KeyInvalid:
            return data
    raise AssertionError("such numbers are everywhere")


def outside_subgroup(group: Any, size: int) -> bytes:
    for x in range(256):
        data = bytes([0x80]) + bytes(size - 2) + bytes([x])
        try:
            point = group.from_compressed_bytes_unchecked(data)
        except ValueError:
            continue
        if not point.is_in_subgroup():
            return bytes(point.to_compressed_bytes())
    raise AssertionError("such points are everywhere")


Cases = Iterator[tuple[str, Case]]


def sizes() -> Cases:
    canonicalize = default_canonicalizer().canonicalize
    blank = b" " * (MAX_JSON_BYTES + 1)
    yield "large JSON", Case(LimitExceeded, partial(parse_json, blank), blank)
    many = {"type": ["VerifiableCredential"], "name": [f"n{n}" for n in range(60_000)]}
    document = {"@context": [CONTEXT_V2], **many}
    yield (
        "many statements",
        Case(LimitExceeded, partial(canonicalize, document), framed(document)),
    )
    message = b"\xd2\x84" + bytes(MAX_MESSAGE)
    yield (
        "large COSE",
        Case(LimitExceeded, partial(parse_sign1, message), enveloped("vc+cose", message), message),
    )
    data = cborld.TAG + bytes(1 << 17)
    yield "large CBOR-LD", Case(LimitExceeded, partial(cborld.decode, data), file=data)
    text = "VC1-R" + "0" * (1 << 20)
    yield "large QR text", Case(LimitExceeded, partial(decode_qr_text, text), file=text.encode())
    token = "a." * (1 << 20) + "~"
    yield (
        "large SD-JWT",
        Case(
            LimitExceeded,
            partial(SdJwt.parse, token),
            enveloped("vc+sd-jwt", token),
            token.encode(),
        ),
    )
    token = "a" * (1 << 18) + ".b.c"
    yield (
        "large JWS",
        Case(
            LimitExceeded,
            partial(parse_compact, token),
            enveloped("vc+jwt", token),
            token.encode(),
        ),
    )
    yield status_list_case("large status list", LimitExceeded, "u" + "A" * (3 << 20 | 1))


def bombs() -> Cases:
    """A little that unpacks to a lot."""
    zeros = bytes(64 << 20)
    yield status_list_case("status list", LimitExceeded, multibase_base64(compress(zeros)))
    packed = zlib.compress(zeros, 9)
    claims = {"bits": 1, "lst": base64url_encode(packed)}
    signer, method = key("P-256"), key_url(key("P-256").public_key)
    listed = sign_compact(
        {"sub": LIST_URL, "iat": int(NOW.timestamp()), "status_list": claims},
        typ="statuslist+jwt",
        signer=signer,
        kid=method,
    )
    attempt = partial(verify_status_list_jwt, listed, key=signer.public_key, now=NOW)
    token = sd_jwt_vc(status={"status_list": {"idx": 1, "uri": LIST_URL}})
    yield (
        "token status list",
        Case(LimitExceeded, attempt, file=token.encode(), status_list=listed.encode()),
    )
    content = write({2: LIST_URL, 6: int(NOW.timestamp()), 65533: {"bits": 1, "lst": packed}})
    cwt = sign1(content, typ="application/statuslist+cwt", signer=signer)
    attempt = partial(verify_status_list_cwt, cwt, key=signer.public_key, now=NOW)
    yield "token status list in CBOR", Case(LimitExceeded, attempt)
    text = frame(deflate(bytes(1 << 22)), DEFLATED_CREDENTIAL)
    yield "QR text", Case(LimitExceeded, partial(decode_qr_text, text), file=text.encode())


def status_list_case(name: str, error: type[CredentialError], encoded: str) -> tuple[str, Case]:
    """A status list of the issuer's own, and a credential that names it."""
    unsigned_list = status_list_credential(
        StatusList.empty(),
        url=LIST_URL,
        issuer=did_key(key("Ed25519").public_key),
        purpose="revocation",
        valid_from=datetime(2024, 1, 1, tzinfo=UTC),
        valid_until=datetime(2099, 1, 1, tzinfo=UTC),
    )
    unsigned_list["credentialSubject"]["encodedList"] = encoded
    listed = sign(unsigned_list, "eddsa-jcs-2022", "Ed25519")
    entry = {
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "1",
        "statusListCredential": LIST_URL,
    }
    credential = sign(unsigned("Ed25519", credentialStatus=entry), "eddsa-jcs-2022", "Ed25519")
    attempt = partial(StatusList.decode, encoded)
    return name, Case(error, attempt, file=as_json(credential), status_list=as_json(listed))


def sd_jwt_vc(disclosures: tuple[str, ...] = (), **claims: Any) -> str:
    """An SD-JWT VC by the issuer, with any disclosures."""
    signer = key("P-256")
    token = sign_compact(
        {"iss": did_key(signer.public_key), "vct": "https://types.example/a", **claims},
        typ="dc+sd-jwt",
        signer=signer,
        kid=key_url(signer.public_key),
    )
    return "~".join((token, *disclosures, ""))


def shapes() -> Cases:
    canonicalize = default_canonicalizer().canonicalize
    deep = b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1)
    inside = b'{"a":' + deep + b"}"
    yield "deep JSON", Case(LimitExceeded, partial(parse_json, deep), inside)
    endless = b"[" * 500_000
    yield "endless JSON", Case(LimitExceeded, partial(parse_json, endless), endless)
    document = nested(DEFAULT_LIMITS.depth + 1)
    yield "deep document", Case(LimitExceeded, partial(canonicalize, document), framed(document))
    yield (
        "endless document",
        Case(LimitExceeded, partial(canonicalize, nested(50_000)), nested_text(50_000)),
    )
    leaves = [
        {"type": ["VerifiableCredential"], "name": f"n{n}"}
        for n in range(DEFAULT_LIMITS.blank_nodes + 1)
    ]
    crowd = {"@context": [CONTEXT_V2], "type": ["VerifiableCredential"], "evidence": leaves}
    yield "many blank nodes", Case(LimitExceeded, partial(canonicalize, crowd), framed(crowd))
    for count in (DEFAULT_LIMITS.contexts + 1, 20_000):
        contexts = {"@context": [CONTEXT_V2] * count, "type": ["VerifiableCredential"]}
        yield (
            f"{count} contexts",
            Case(LimitExceeded, partial(canonicalize, contexts), framed(contexts)),
        )
    parts = tuple(
        base64url_encode(as_json([f"salt{n}", f"claim{n}", n])) for n in range(MAX_DISCLOSURES + 1)
    )
    yield (
        "many disclosures",
        Case(
            LimitExceeded,
            partial(unpack, {"_sd": []}, parts),
            enveloped("vc+sd-jwt", secured_sd_jwt(parts)),
            sd_jwt_vc(parts).encode(),
        ),
    )


def secured_sd_jwt(disclosures: tuple[str, ...]) -> str:
    signer = key("P-256")
    token = sign_compact(
        unsigned("P-256"), typ="vc+sd-jwt", signer=signer, kid=key_url(signer.public_key)
    )
    return "~".join((token, *disclosures, ""))


def names() -> Cases:
    """What is well formed and means nothing, under names that nobody would write."""
    canonicalize = default_canonicalizer().canonicalize
    plain = signed("ecdsa-rdfc-2019", "P-256")
    for name in ("undefined", "n" * 500_000, "字" * 1000, "\x1b[2J", "__proto__", ""):
        changed = {**plain, "credentialSubject": {**plain["credentialSubject"], name: "x"}}
        bare = {key: value for key, value in changed.items() if key != "proof"}
        yield (
            f"member {name[:12]!r}",
            Case(TermUndefined, partial(canonicalize, bare), as_json(changed)),
        )
        if name:
            changed = {**plain, "type": [*plain["type"], name]}
            bare = {key: value for key, value in changed.items() if key != "proof"}
            yield (
                f"type {name[:12]!r}",
                Case(TypeUndefined, partial(canonicalize, bare), as_json(changed)),
            )


def texts() -> Cases:
    """What is no JSON, or not the same to every reader."""
    plain = as_json(signed("ecdsa-rdfc-2019", "P-256"))
    for name, error, text in (
        ("cut", JsonMalformed, plain[:-1]),
        ("two", JsonMalformed, plain + plain),
        ("a name twice", JsonDuplicateKey, b'{"issuer":"did:example:a",' + plain[1:]),
        ("a nested name twice", JsonDuplicateKey, plain[:-1] + b',"a":{"b":1,"b":1}}'),
        ("not UTF-8", JsonEncoding, plain[:-1] + b',"name":"\xff"}'),
        ("half a character", JsonEncoding, plain[:-1] + b',"name":"\\ud800"}'),
        ("huge number", JsonNumber, plain[:-1] + b',"n":' + b"9" * 400 + b"}"),
        ("endless number", JsonNumber, plain[:-1] + b',"n":' + b"9" * 500_000 + b"}"),
        ("huge exponent", JsonNumber, plain[:-1] + b',"n":1e999999}'),
        ("not a number", JsonNumber, plain[:-1] + b',"n":NaN}'),
        ("2^53", JsonNumber, plain[:-1] + b',"n":9007199254740993}'),
    ):
        yield name, Case(error, partial(parse_json, text), text)


SUITES: list[tuple[str, KeyType]] = [
    ("ecdsa-rdfc-2019", "P-256"),
    ("ecdsa-rdfc-2019", "P-384"),
    ("ecdsa-jcs-2019", "P-256"),
    ("eddsa-rdfc-2022", "Ed25519"),
    ("eddsa-jcs-2022", "Ed25519"),
    ("ecdsa-sd-2023", "P-256"),
    ("bbs-2023", "Bls12381G2"),
]
SELECTIVE = ("ecdsa-sd-2023", "bbs-2023")


def proof_values() -> Cases:
    for suite, kind in SUITES:
        document = signed(suite, kind)
        for what, value in {
            "no base": "x" * 86,
            "base58 that is none": "z" + "0" * 86,
            "base64 that is none": "u" + "!" * 86,
            "nothing": "z",
            "not CBOR": multibase_base64(b"\xd9\x5d\x02\xff\xff"),
            "too long": "z" + "2" * 100_000,
            "too long in base64": "u" + "A" * 8_000_000,
            "of a wrong length": multibase_base58(bytes(63)),
            "not ASCII": "z" + "字" * 86,
        }.items():
            long = value[0] == "u" and what.startswith("too long")
            error = LimitExceeded if long and suite in SELECTIVE else ProofMalformed
            yield f"{suite} {kind}: {what}", proof_case(error, document, proofValue=value)
    yield (
        "JWS",
        Case(JwsMalformed, partial(parse_compact, "a.b.!"), enveloped("vc+jwt", "a.b.c"), b"a.b.!"),
    )
    broken = b"\xd2\x84\xff"
    yield (
        "COSE",
        Case(CoseMalformed, partial(parse_sign1, broken), enveloped("vc+cose", broken), broken),
    )
    wrong = {"_sd": [base64url_encode(sha256(b"!").digest())]}
    token = sd_jwt_vc(("!",), **wrong)
    yield (
        "disclosure",
        Case(
            SdJwtMalformed,
            partial(unpack, wrong, ("!",)),
            file=token.encode(),
        ),
    )
    yield "QR text", Case(QrTextMalformed, partial(decode_qr_text, "VC1-R:::"), file=b"VC1-R:::")
    compact = cborld.encode(unsigned("P-256"))
    for what, cause, data in (
        ("with more behind", CborMalformed, compact + b"\0"),
        ("cut", CborTruncated, compact[:-1]),
    ):
        yield f"CBOR-LD {what}", Case(cause, partial(cborld.decode, data), file=data)
    yield status_list_case("status list", StatusListMalformed, "u!")


def keys() -> Cases:
    # Of the wrong type: a suite, and a key that it does not know
    for suite, kind in SUITES:
        other: KeyType = "P-256" if kind in ("Ed25519", "Bls12381G2") else "Ed25519"
        method = key_url(key(other).public_key)
        yield (
            f"{suite} with {other}",
            proof_case(CryptosuiteKeyMismatch, signed(suite, kind), verificationMethod=method),
        )
    # Off its curve
    plain = signed("ecdsa-rdfc-2019", "P-256")
    for name, prefix in (("P-256", b"\x80\x24"), ("P-384", b"\x81\x24")):
        spelt = multibase_base58(prefix + off_curve(prefix))
        yield f"{name} multikey", Case(KeyInvalid, partial(PublicKey.from_multikey, spelt))
        method = f"did:key:{spelt}#{spelt}"
        yield f"{name} in a proof", proof_case(DidMalformed, plain, verificationMethod=method)
    jwk = key("P-256").public_key.jwk()
    wrong = {**jwk, "y": jwk["x"]}
    did = "did:jwk:" + base64url_encode(as_json(wrong))
    yield (
        "P-256 JWK",
        Case(
            KeyInvalid,
            partial(PublicKey.from_jwk, wrong),
            as_json(with_proof(plain, verificationMethod=did + "#0")),
            elsewhere=DidMalformed,
        ),
    )
    document = did_document("did:web:a.example", {"k": key("P-256").public_key})
    spelt = multibase_base58(b"\x80\x24" + off_curve(b"\x80\x24"))
    for method in document["verificationMethod"]:
        method["publicKeyMultibase"] = spelt
    resolve = partial(resolve_in, document, "did:web:a.example#k")
    yield "P-256 in a DID document", Case(KeyInvalid, resolve)
    # Outside its subgroup
    point, public = outside_subgroup(G1Point, 48), outside_subgroup(G2Point, 96)
    spelt = multibase_base58(b"\xeb\x01" + public)
    changed = with_proof(
        signed("bbs-2023", "Bls12381G2"), verificationMethod=f"did:key:{spelt}#{spelt}"
    )
    yield (
        "BBS public key",
        Case(
            KeyInvalid,
            partial(PublicKey, "Bls12381G2", public),
            as_json(changed),
            elsewhere=DidMalformed,
        ),
    )
    bbs = key("Bls12381G2").public_key.bbs
    attempt = partial(verify_bbs, bbs, point + bytes(31) + b"\1", b"", [b"a"])
    yield "BBS signature", Case(BbsMalformed, attempt)
    derived = derive(signed("bbs-2023", "Bls12381G2"), ["/credentialSubject/ageOver18"])
    yield "BBS proof", proof_case(BbsMalformed, derived, **exchanged(derived, point))


def resolve_in(document: dict[str, Any], url: str) -> None:
    DocumentResolver([document]).resolve(url, "assertionMethod")


def exchanged(derived: dict[str, Any], point: bytes) -> dict[str, str]:
    """The proof value with its first point exchanged."""
    raw = multibase_decode(derived["proof"]["proofValue"])
    start = raw.index(b"\x59") + 3  # the proof is the first byte string, of two bytes of length
    return {"proofValue": multibase_base64(raw[:start] + point + raw[start + 48 :])}


def suites() -> Cases:
    document = signed("ecdsa-rdfc-2019", "P-256")
    for name in ("ecdsa-rdfc-2020", "字", "x" * 100_000, "__class__"):
        yield name[:20], proof_case(CryptosuiteUnknown, document, cryptosuite=name)
    experimental = "mldsa44-rdfc-2024"
    yield "experimental", proof_case(CryptosuiteExperimental, document, cryptosuite=experimental)
    yield "no text", proof_case(ProofMalformed, document, cryptosuite=7)


CASES: dict[str, Case] = {
    f"{group.__name__}: {name}": case
    for group in (sizes, bombs, shapes, names, texts, proof_values, keys, suites)
    for name, case in group()
}


# The same in other frames


@cache
def presented(name: str) -> bytes:
    """A presentation of the credential of a case, properly signed where that can be done."""
    sent, holder = CASES[name].sent, key("P-384")
    assert sent is not None
    proof: dict[str, Any] = {
        "@context": [CONTEXT_V2],
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-jcs-2019",
        "created": "2026-11-22T09:00:00Z",
        "verificationMethod": key_url(holder.public_key),
        "proofPurpose": "authentication",
        "challenge": "c",
        "domain": "d",
        "proofValue": "z" + "2" * 130,
    }
    frame = {
        "@context": [CONTEXT_V2],
        "type": ["VerifiablePresentation"],
        "holder": did_key(holder.public_key),
    }
    if not name.startswith("texts: "):
        with suppress(ValueError, RecursionError):
            options = {k: v for k, v in proof.items() if k != "proofValue"}
            whole = {**frame, "verifiableCredential": [json.loads(sent)]}
            value = holder.sign(hash_json(options, whole, "P-384"))
            proof["proofValue"] = multibase_base58(value)
    inside = b',"verifiableCredential":[' + sent + b'],"proof":' + as_json(proof) + b"}"
    return as_json(frame)[:-1] + inside


def under_own_name(sent: bytes, did: str) -> bytes:
    """A credential to be issued by the server itself: another's is refused for that alone."""
    with suppress(ValueError, RecursionError):
        document = json.loads(sent)
        if isinstance(document, dict) and "issuer" in document:
            return as_json({**document, "issuer": did})
    return sent


@dataclass(frozen=True)
class Hazard:
    """A document of `vectors/hazards` in a credential's frame, and where the gate refuses it."""

    sent: bytes
    code: str
    pointer: str | None


def hazards() -> dict[str, Hazard]:
    """All of them, by name."""
    found = {}
    for path in sorted((Path(__file__).parent / "vectors" / "hazards").glob("*.json")):
        case = json.loads(path.read_bytes())
        found[path.stem] = Hazard(framed(case["document"]), case["error"], case["pointer"])
    return found
