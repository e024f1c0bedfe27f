"""did:webvh: the published vectors of five implementations, and each rule on its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credentials.canonical import canonical_json
from credentials.did_webvh import (
    WebvhLog,
    WebvhResolver,
    log_url,
    parse_webvh,
    verify_log,
    witness_url,
)
from credentials.did_webvh.log import MAX_ENTRIES
from credentials.did_webvh.parameters import key_hash, multihash
from credentials.dids import did_document, did_key, key_url
from credentials.errors import (
    CredentialError,
    DidDeactivated,
    DidMalformed,
    DidMethodUnsupported,
    DidUnknown,
    JsonMalformed,
    LimitExceeded,
    VerificationMethodUnknown,
    WebvhLogInvalid,
    WebvhVersionUnknown,
    WebvhWitnessesMissing,
    WebvhWitnessesUnknown,
)
from credentials.keys import PrivateKey
from credentials.multibase import multibase_base58
from credentials.proofs.jcs import hash_json

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VECTORS = Path(__file__).parent / "vectors" / "didwebvh"
SCENARIOS = {path.stem: json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))}
CASES = [(name, maker) for name, makers in SCENARIOS.items() for maker in makers]

# Where a vector and the text of did:webvh 1.0 disagree, the text counts.
AGAINST_THE_TEXT = {
    # A list of witnesses that replaces another counts after its entry ("Witness Lists"), so the
    # entry itself needs the two old ones. One of the five implementations reads it so, too.
    ("witness-update", "java"): WebvhWitnessesMissing,
    ("witness-update", "java-eecc"): WebvhWitnessesMissing,
    ("witness-update", "ts"): WebvhWitnessesMissing,
    # A witness must be a did:key; these are bare multikeys.
    ("witness-update", "rust"): WebvhLogInvalid,
    ("witness-threshold", "rust"): WebvhLogInvalid,
}


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


@pytest.mark.parametrize(("scenario", "maker"), CASES)
def test_published_vectors(scenario: str, maker: str) -> None:
    case = SCENARIOS[scenario][maker]
    expected = case["expected"]
    errors = [each["error"] for each in expected if "error" in each]
    for did in case["dids"]:
        if case["log"] is None:
            with pytest.raises(DidMalformed):
                parse_webvh(did)
            # The published names have a hash that is none; the rule must hold with a real one.
            with pytest.raises(DidMalformed):
                parse_webvh(did.replace("Qm" + "0" * 46, "Qm" + "1" * 44))
            continue

        def verify(did: str = did) -> WebvhLog:
            return verify_log(
                did, case["log"].encode(), now=NOW, witness_proofs=_bytes(case["witness"])
            )

        refusal = AGAINST_THE_TEXT.get((scenario, maker))
        if refusal is not None or errors:
            with pytest.raises(refusal or CredentialError):
                verify()
            continue
        log = verify()
        for each in expected:
            metadata = each["metadata"]
            version = log.version(id=metadata["versionId"])
            ours = log.metadata(version)
            for name in set(metadata) & set(ours) - {"updated", "witness"}:
                assert ours[name] == metadata[name], name
            assert version.number == metadata.get("versionNumber", version.number)
        assert log.deactivated == expected[-1]["metadata"].get("deactivated", False)


def test_the_vectors_are_all_there() -> None:
    assert len(CASES) == 80
    assert sum(name.startswith("negative-") for name, _ in CASES) == 16


# A log of our own, to break one rule at a time

KEYS = [PrivateKey.from_seed("Ed25519", bytes([n]) * 16) for n in range(8)]
MULTIKEYS = [key.public_key.multikey() for key in KEYS]
START = datetime(2026, 1, 1, tzinfo=UTC)


def prove(key: PrivateKey, covered: dict[str, Any], **changes: Any) -> dict[str, Any]:
    proof = {
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": key_url(key.public_key),
        "created": "2026-01-01T00:00:00Z",
        "proofPurpose": "assertionMethod",
        **changes,
    }
    signed = hash_json(proof, covered, "Ed25519")
    return {**proof, "proofValue": multibase_base58(key.sign(signed))}


class Author:
    """Writes a log the way its specification says, whatever it is told to write."""

    def __init__(self, host: str = "example.com", **parameters: Any) -> None:
        self.entries: list[dict[str, Any]] = []
        did = "did:webvh:{SCID}:" + host
        draft = {
            "versionId": "{SCID}",
            "versionTime": "2026-01-01T00:00:00Z",
            "parameters": {
                "method": "did:webvh:1.0",
                "scid": "{SCID}",
                "updateKeys": [MULTIKEYS[0]],
                **parameters,
            },
            "state": {"@context": ["https://www.w3.org/ns/did/v1"], "id": did},
        }
        self.scid = multihash(canonical_json(draft))
        entry = json.loads(canonical_json(draft).decode().replace("{SCID}", self.scid))
        self.did: str = entry["state"]["id"]
        self.finish(entry, self.scid, 1, KEYS[0])

    def finish(self, entry: dict[str, Any], before: str, number: int, *signers: PrivateKey) -> None:
        entry = {**entry, "versionId": before}
        entry["versionId"] = f"{number}-{multihash(canonical_json(entry))}"
        self.entries.append({**entry, "proof": [prove(signer, entry) for signer in signers]})

    def add(
        self,
        *signers: PrivateKey,
        state: dict[str, Any] | None = None,
        time: str | None = None,
        number: int | None = None,
        **parameters: Any,
    ) -> Author:
        count = len(self.entries)
        last = self.entries[-1]
        entry = {
            "versionTime": time or (START + timedelta(days=count)).isoformat()[:19] + "Z",
            "parameters": parameters,
            "state": state or last["state"],
        }
        self.finish(entry, last["versionId"], number or count + 1, *(signers or (KEYS[0],)))
        return self

    def bytes(self) -> bytes:
        return b"".join(json.dumps(entry).encode() + b"\n" for entry in self.entries)

    def verify(self, did: str | None = None, **options: Any) -> WebvhLog:
        return verify_log(did or self.did, self.bytes(), **{"now": NOW, **options})


def refused(author: Author, reason: str, entry: int | None = None, **options: Any) -> None:
    with pytest.raises(WebvhLogInvalid) as caught:
        author.verify(**options)
    assert reason in str(caught.value.params["reason"])
    if entry is not None:
        assert caught.value.params["entry"] == entry


def document(author: Author, did: str | None = None, **more: Any) -> dict[str, Any]:
    return {**did_document(did or author.did, {"key-1": KEYS[5].public_key}), **more}


def test_an_honest_log() -> None:
    author = Author(ttl=60, watchers=["https://watcher.example"])
    author.add(state=document(author)).add(updateKeys=[MULTIKEYS[1]]).add(KEYS[1])
    log = author.verify()
    assert [version.number for version in log.versions] == [1, 2, 3, 4]
    assert log.latest.parameters.update_keys == (MULTIKEYS[1],)
    assert log.metadata(log.latest)["ttl"] == "60"
    method = WebvhResolver([log]).resolve(f"{author.did}#key-1", "assertionMethod")
    assert method.public_key == KEYS[5].public_key
    assert log.version(time=START + timedelta(hours=30)).number == 2
    assert log.version(number=3).id == author.entries[2]["versionId"]
    for query in ({"number": 5}, {"id": "5-x"}, {"time": START - timedelta(days=1)}):
        with pytest.raises(WebvhVersionUnknown):
            log.version(**query)


def test_every_entry_is_checked() -> None:
    honest = Author()
    honest.add(state=document(honest)).add().add()
    for index in range(4):
        changes: list[Callable[[dict[str, Any]], Any]] = [
            lambda entry: entry["state"].update(alsoKnownAs=["did:example:thief"]),
            lambda entry: entry.update(versionTime="2026-01-01T00:00:01Z"),
            lambda entry: entry["parameters"].update(ttl=1),
            lambda entry: entry["proof"][0].update(created="2026-02-01T00:00:00Z"),
            lambda entry: entry["proof"].clear(),
            lambda entry: entry.update(proof=entry["proof"][0]),
            lambda entry: entry.update(extra=1),
            lambda entry: entry.pop("state"),
        ]
        for change in changes:
            author = Author()
            author.entries = json.loads(json.dumps(honest.entries))
            change(author.entries[index])
            with pytest.raises(WebvhLogInvalid) as caught:
                author.verify()
            assert caught.value.params["entry"] == index + 1


def test_no_entry_can_be_left_out_or_exchanged() -> None:
    author = Author()
    author.add().add()
    for entries in ([0, 2], [1, 2], [0, 1, 1], [0, 2, 1]):
        broken = Author()
        broken.entries = [author.entries[index] for index in entries]
        with pytest.raises(WebvhLogInvalid):
            broken.verify(author.did)
    # The end can be cut off: that is the known hole, which the module names.
    author.entries.pop()
    assert len(author.verify().versions) == 2


def test_keys() -> None:
    refused(Author().add(KEYS[1]), "not authorized", 2)
    # A rotation is signed by the old keys, not by those that it brings.
    refused(Author().add(KEYS[1], updateKeys=[MULTIKEYS[1]]), "not authorized", 2)
    refused(Author().add(updateKeys=[MULTIKEYS[1]]).add(KEYS[0]), "not authorized", 3)
    refused(Author().add(KEYS[0], KEYS[1]), "not authorized", 2)
    refused(Author().add(updateKeys=[]).add(KEYS[0]), "not authorized", 3)
    assert Author().add(updateKeys=MULTIKEYS[:2]).add(KEYS[1]).add(*KEYS[:2]).verify()
    p256 = PrivateKey.from_seed("P-256", b"another kind of key").public_key.multikey()
    for keys in ([p256], ["z6Mk"], [7], "z6Mk", [MULTIKEYS[0]] * 65):
        with pytest.raises(WebvhLogInvalid):
            Author().add(updateKeys=keys).verify()
    refused(Author(updateKeys=[]), "authorizes no key", 1)


def test_promised_keys() -> None:
    promised = [key_hash(MULTIKEYS[1]), key_hash(MULTIKEYS[2])]

    def author() -> Author:
        return Author(nextKeyHashes=promised)

    good = author().add(KEYS[1], updateKeys=[MULTIKEYS[1]], nextKeyHashes=[])
    assert good.add(KEYS[1], updateKeys=[MULTIKEYS[3]]).add(KEYS[3]).verify()
    refused(author().add(KEYS[0]), "not named", 2)
    refused(author().add(KEYS[1], updateKeys=[MULTIKEYS[1]]), "not named", 2)
    refused(author().add(KEYS[0], nextKeyHashes=[]), "not named", 2)
    refused(author().add(KEYS[3], updateKeys=[MULTIKEYS[3]], nextKeyHashes=[]), "promised", 2)
    both = [MULTIKEYS[1], MULTIKEYS[3]]
    refused(author().add(KEYS[1], updateKeys=both, nextKeyHashes=[]), "promised", 2)
    # Not even the old key may stay when it was not promised.
    refused(author().add(KEYS[0], updateKeys=[MULTIKEYS[0]], nextKeyHashes=[]), "promised", 2)
    refused(author().add(KEYS[0], updateKeys=[MULTIKEYS[1]], nextKeyHashes=[]), "authorized", 2)


def test_parameters() -> None:
    wrongs: list[dict[str, Any]] = [
        {"unknown": 1},
        {"method": "did:webvh:0.5"},
        {"method": "did:webvh:1.1"},
        {"method": None},
        {"portable": None},
        {"portable": "true"},
        {"deactivated": 1},
        {"ttl": -1},
        {"ttl": True},
        {"ttl": 2**31 + 1},
        {"watchers": "https://watcher.example"},
        {"witness": []},
    ]
    for wrong in wrongs:
        with pytest.raises(WebvhLogInvalid):
            Author(**wrong).verify()
        with pytest.raises(WebvhLogInvalid):
            Author().add(**wrong).verify()
    refused(Author().add(scid="Qm"), "set again", 2)
    refused(Author().add(portable=True), "switched on", 2)
    # Early logs wrote null for the default.
    nulls: dict[str, Any] = {"nextKeyHashes": None, "witness": None, "watchers": None, "ttl": None}
    assert Author(**nulls).add(**nulls).verify().latest.parameters.ttl == 3600


def test_times() -> None:
    for time in ("2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z"):
        refused(Author().add(time=time), "not later", 2)
    for time in ("2026-01-02T00:00:00", "2026-01-02T08:00:00+08:00", "2026-01-02", "soon"):
        refused(Author().add(time=time), "in UTC", 2)
    assert Author().add(time="2026-01-02T00:00:00+00:00").verify()
    refused(Author().add(time="2026-11-22T00:05:01Z"), "future", 2)
    assert Author().add(time="2026-11-22T00:05:00Z").verify()
    refused(Author().add(number=3), "does not follow", 2)
    with pytest.raises(ValueError, match="naive"):
        Author().verify(now=datetime(2026, 11, 22))


def test_another_log_under_the_name() -> None:
    author, other = Author(), Author("elsewhere.example")
    refused(other, "another identifier", 1, did=author.did)
    # The same first entry under another host is another hash; a changed id is another name.
    refused(author, "another identifier", did=author.did.replace("example.com", "evil.example"))
    state = {**author.entries[0]["state"], "id": other.did}
    refused(author.add(state=state), "another identifier", 2)
    for bad in ({"id": "did:web:example.com"}, {"id": 7}, {"name": "none"}):
        refused(Author().add(state=bad), "not a did:webvh", 2)


def test_a_name_that_moves() -> None:
    author = Author(portable=True)
    old, new = author.did, author.did.replace("example.com", "new.example:dids:1")
    moved = document(author, new, alsoKnownAs=[old])
    author.add(state=moved)
    for did in (old, new):
        assert author.verify(did).latest.document["id"] == new
    resolver = WebvhResolver([author.verify(new), author.verify(old)])
    assert resolver.resolve(f"{new}#key-1", "assertionMethod").controller == new
    with pytest.raises(DidUnknown):
        resolver.resolve(f"{old}#key-1", "assertionMethod")
    silent = Author(portable=True)
    refused(silent.add(state=document(silent, new)), "does not name the old", 2)
    fixed = Author()
    target = fixed.did.replace("example.com", "new.example")
    state = document(fixed, target, alsoKnownAs=[fixed.did])
    refused(fixed.add(state=state), "not portable", 2)
    closed = Author(portable=True)
    refused(closed.add(state=moved, portable=False), "not portable", 2)


def test_deactivation() -> None:
    author = Author()
    author.add(state=document(author)).add(deactivated=True, updateKeys=[])
    log = author.verify()
    assert log.deactivated
    with pytest.raises(DidDeactivated):
        log.current()
    with pytest.raises(DidDeactivated):
        WebvhResolver([log]).resolve(f"{author.did}#key-1", "assertionMethod")
    assert log.version(number=2).did_document().id == author.did
    refused(Author().add(deactivated=True).add(deactivated=False), "deactivated before", 3)


# Witnesses


def rule(threshold: Any, *keys: PrivateKey) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "witnesses": [{"id": did_key(key.public_key)} for key in keys],
    }


def confirm(*confirmed: tuple[dict[str, Any], tuple[PrivateKey, ...]]) -> bytes:
    return json.dumps(
        [
            {
                "versionId": entry["versionId"],
                "proof": [prove(key, {"versionId": entry["versionId"]}) for key in keys],
            }
            for entry, keys in confirmed
        ]
    ).encode()


def test_witnesses() -> None:
    a, b, c = KEYS[5:8]
    author = Author(witness=rule(2, a, b, c))
    author.add().add()
    first, second, third = author.entries
    with pytest.raises(WebvhWitnessesUnknown):
        author.verify()
    # One proof on the last entry stands for all before it.
    assert author.verify(witness_proofs=confirm((third, (a, b))))
    assert author.verify(witness_proofs=confirm((second, (b,)), (third, (a, c))))
    assert author.verify(witness_proofs=confirm((third, (a,)), (third, (c,))))
    for lacking in (
        confirm(),
        confirm((third, (a,))),
        confirm((third, (a, a))),
        confirm((second, (a, b))),
        confirm((first, (a, b)), (third, (c,))),
        confirm((third, (a, KEYS[1]))),
        confirm(({"versionId": "4-unpublished"}, (a, b, c))),
    ):
        with pytest.raises(WebvhWitnessesMissing):
            author.verify(witness_proofs=lacking)


def test_witness_proofs_that_do_not_hold() -> None:
    a, b = KEYS[5:7]
    author = Author(witness=rule(2, a, b))
    version = author.entries[0]["versionId"]
    good = [prove(key, {"versionId": version}) for key in (a, b)]
    forged: list[Callable[[dict[str, Any]], Any]] = [
        lambda proof: proof.update(proofValue=good[0]["proofValue"]),
        lambda proof: proof.update(verificationMethod=did_key(b.public_key)),
        lambda proof: proof.update(
            verificationMethod=f"{did_key(b.public_key)}#{KEYS[0].public_key.multikey()}"
        ),
        lambda proof: proof.update(cryptosuite="eddsa-rdfc-2022"),
        lambda proof: proof.update(proofPurpose="authentication"),
        lambda proof: proof.clear(),
    ]
    for forge in forged:
        proofs = deepcopy(good)
        forge(proofs[1])
        given = json.dumps([{"versionId": version, "proof": proofs}]).encode()
        with pytest.raises(WebvhWitnessesMissing) as caught:
            author.verify(witness_proofs=given)
        assert caught.value.params == {"entry": 1, "count": 1, "threshold": 2}
    for malformed in (b"{}", b"[7]", b'[{"versionId":7,"proof":[]}]', b"[", b"[" * 100):
        with pytest.raises((JsonMalformed, LimitExceeded)):
            author.verify(witness_proofs=malformed)
    many = json.dumps([{"versionId": version, "proof": good * 600}]).encode()
    with pytest.raises(LimitExceeded):
        author.verify(witness_proofs=many)


def test_rules_of_witnesses() -> None:
    a, b, c = KEYS[5:8]
    for wrong in (
        rule(0, a),
        rule(2, a),
        rule("1", a),
        rule(1.5, a),
        rule(True, a),
        rule(1),
        rule(1, a, a),
        {"threshold": 1},
        {"threshold": 1, "witnesses": [{"id": MULTIKEYS[5]}]},
        {"threshold": 1, "witnesses": [{"id": "did:web:witness.example"}]},
        {
            "threshold": 1,
            "witnesses": [{"id": did_key(PrivateKey.generate("P-256").public_key)}],
        },
        {**rule(1, a), "more": 1},
    ):
        with pytest.raises(WebvhLogInvalid):
            Author(witness=wrong).verify()
    # Switched on: at once. Replaced or switched off: the old ones confirm it.
    on = Author().add(witness=rule(1, a))
    with pytest.raises(WebvhWitnessesMissing):
        on.verify(witness_proofs=confirm((on.entries[0], (a,))))
    assert on.verify(witness_proofs=confirm((on.entries[1], (a,))))
    replaced = Author(witness=rule(1, a)).add(witness=rule(1, b))
    with pytest.raises(WebvhWitnessesMissing):
        replaced.verify(witness_proofs=confirm((replaced.entries[1], (b,))))
    assert replaced.verify(witness_proofs=confirm((replaced.entries[1], (a,))))
    replaced.add()
    with pytest.raises(WebvhWitnessesMissing):
        replaced.verify(witness_proofs=confirm((replaced.entries[2], (a,))))
    off = Author(witness=rule(1, c)).add(witness={}).add()
    with pytest.raises(WebvhWitnessesMissing):
        off.verify(witness_proofs=confirm((off.entries[0], (c,))))
    assert off.verify(witness_proofs=confirm((off.entries[1], (c,))))


# Names, limits, resolver

SCID = "QmfGEUAcMpzo25kF2Rhn8L5FAXysfGnkzjwdKoNPi615XQ"


def test_addresses() -> None:
    for rest, url in {
        "example.com": "https://example.com/.well-known/did.jsonl",
        "issuer.example.com": "https://issuer.example.com/.well-known/did.jsonl",
        "example.com:dids:issuer": "https://example.com/dids/issuer/did.jsonl",
        "example.com%3A3000:dids:issuer": "https://example.com:3000/dids/issuer/did.jsonl",
        "example.com%3a3000": "https://example.com:3000/.well-known/did.jsonl",
        "jp%E7%B4%8D%E8%B1%86.%E4%BE%8B.jp:%E7%94%A8%E6%88%B7": (
            "https://xn--jp-cd2fp15c.xn--fsq.jp/%E7%94%A8%E6%88%B7/did.jsonl"
        ),
        "example.com:a%20b": "https://example.com/a%20b/did.jsonl",
        "example.com:a%3Fb%23c": "https://example.com/a%3Fb%23c/did.jsonl",
    }.items():
        did = f"did:webvh:{SCID}:{rest}"
        assert log_url(did) == url
        assert witness_url(did) == url.replace("did.jsonl", "did-witness.json")


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "localhost",
        "127.0.0.1",
        "127%2E0%2E0%2E1",
        "127.0.0.1%3A8080",
        "127.0.0.1%3a8080",
        "127.0x1",
        "example.0x7f",
        "%31%32%37.0.0.1",
        "%5B%3A%3A1%5D",
        "１２７.０.０.１",
        "%EF%BC%91.%EF%BC%92",
        "example.com%3A0",
        "example.com%3A65536",
        "example.com%3A",
        "example.com%3A80%3A80",
        "example.com%3Aa",
        "user%40example.com",
        "example%2Fcom.example",
        "example..com",
        "-a.example",
        "a-.example",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "example.com:",
        "example.com:.",
        "example.com:..",
        "example.com:%2E%2E",
        "example.com:a%2Fb",
        "example.com:a%5Cb",
        "example.com:a%00b",
        "example.com:%20a",
        "example.com:%FF",
        "example.com:%2",
        "example.com/path",
        "example.com?query",
        "example.com#fragment",
    ],
)
def test_names_that_are_refused(rest: str) -> None:
    with pytest.raises(DidMalformed):
        log_url(f"did:webvh:{SCID}:{rest}")


def test_other_names() -> None:
    for did in (
        f"did:webvh:{SCID}",
        f"did:webvh:{SCID[:-1]}:example.com",
        f"did:webvh:{SCID[:-1]}0:example.com",
        "did:webvh:{SCID}:example.com",
        7,
    ):
        with pytest.raises(DidMalformed):
            parse_webvh(did)
    with pytest.raises(DidMethodUnsupported):
        parse_webvh("did:web:example.com")


def test_limits_and_malformed_logs() -> None:
    author = Author()
    for log in (b"", b"\n", b"{}\n\n", b"[]", b"{", b"\xff", b'{"a":1,"a":2}'):
        with pytest.raises((JsonMalformed, WebvhLogInvalid)):
            verify_log(author.did, log, now=NOW)
    with pytest.raises(LimitExceeded):
        verify_log(author.did, b"{}\n" * (MAX_ENTRIES + 1), now=NOW)
    with pytest.raises(LimitExceeded):
        verify_log(author.did, b" " * (5 * 1024 * 1024), now=NOW)
    expired = Author()
    covered = {name: value for name, value in expired.entries[0].items() if name != "proof"}
    for expires in ("2026-11-22T00:00:00Z", "never"):
        expired.entries[0]["proof"] = [prove(KEYS[0], covered, expires=expires)]
        refused(expired, "expired", 1)
    expired.entries[0]["proof"] = [prove(KEYS[0], covered, expires="2026-11-22T00:00:01Z")]
    assert expired.verify()


def test_resolver() -> None:
    author = Author()
    short = author.add(state=document(author)).verify()
    long = author.add(state=document(author, service=[])).verify()
    for logs in ([short, long], [long, short]):
        resolver = WebvhResolver(logs)
        assert resolver.resolve(f"{author.did}#key-1", "authentication")
    with pytest.raises(VerificationMethodUnknown):
        resolver.resolve(f"{author.did}#key-2", "authentication")
    with pytest.raises(DidUnknown):
        resolver.resolve(f"did:webvh:{SCID}:example.com#key-1", "authentication")
    with pytest.raises(DidMethodUnsupported):
        resolver.resolve("did:web:example.com#key-1", "authentication")
    # The owner wrote two histories: neither counts.
    fork = Author()
    fork.add(state=document(fork)).add(ttl=1)
    with pytest.raises(WebvhLogInvalid):
        WebvhResolver([long, fork.verify()])
