"""An issuer that ends without warning at a chosen point; test_faults runs it as its own process.

    python crash_issuer.py HOME CHAIN POINT [TOKEN KEY]

CHAIN is a file that stands for the registry's chain. Without a token it enrols, offers and
redeems, and prints the token; with one it issues, anchors and revokes. POINT names a function
"module:name" before which the process ends, or "after:module:name"; "none" lets it finish.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from credentials.jose import sign_compact
from credentials.keys import PrivateKey, Signer
from issuer.authority.client import AuthorityAnswer
from issuer.service import Issuer
from registry.client import Receipt
from registry.ledger.entries import Entry
from registry.ledger.members import document_digest
from schemas.digests import digest_multibase

CITIZEN = {
    "name": "王小明",
    "citizenNumber": "330106199001011010",
    "sex": "male",
    "birthDate": "1990-01-01",
    "ethnicity": "汉",
    "division": "330106",
}


class Willing:
    def check(self, _person: Mapping[str, str]) -> AuthorityAnswer:
        return AuthorityAnswer(
            passed=True,
            authority="did:web:authority.example",
            checked_at=datetime.now(UTC),
            reply_digest=digest_multibase(b"yes"),
            reply="yes",
        )


class FileChain:
    """A chain in a file: durable, and it answers repeated entries with their first places."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[bytes]:
        return self.path.read_bytes().splitlines() if self.path.exists() else []

    def put_status_list(self, document: Mapping[str, Any]) -> str:
        return document_digest(document)

    def submit(self, origin: str, entries: Sequence[Entry], _signer: Signer, _url: str) -> Receipt:
        known = self.entries()
        new = [entry.raw for entry in entries if entry.raw not in known]
        with self.path.open("ab") as stream:
            stream.writelines(raw + b"\n" for raw in new)
            stream.flush()
            os.fsync(stream.fileno())
        known += new
        return Receipt(origin, tuple(known.index(entry.raw) for entry in entries), not new)


def end_at(point: str) -> None:
    if point == "none":
        return
    *after, module_name, name = point.split(":")
    owner: Any = importlib.import_module(module_name)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    real = getattr(owner, last)

    def ending(*arguments: Any, **named: Any) -> Any:
        if after:
            real(*arguments, **named)
        os._exit(9)

    setattr(owner, last, ending)


def enrol(issuer: Issuer, home: Path) -> str:
    offer = issuer.apply_at_counter(CITIZEN, actor="clerk")
    content = json.loads(parse_qs(urlsplit(offer.text).query)["credential_offer"][0])
    (grant,) = content["grants"].values()
    message = json.loads((home / "outbox" / f"{offer.application}.json").read_text())
    return issuer.redeem(grant["pre-authorized_code"], message["tx_code"]).text


def issue(issuer: Issuer, token: str, key: PrivateKey) -> dict[str, Any]:
    proof = sign_compact(
        {
            "aud": issuer.settings.public_url,
            "iat": int(datetime.now(UTC).timestamp()),
            "nonce": issuer.nonce(),
        },
        typ="openid4vci-proof+jwt",
        signer=key,
        extra_header={"jwk": key.public_key.jwk()},
    )
    request = {
        "credential_configuration_id": "ResidentIdentityCredential",
        "proofs": {"jwt": [proof]},
    }
    return issuer.issue(token, request)


def main(home: Path, chain: FileChain, point: str, *rest: str) -> None:
    with Issuer.open(home, "correct horse", authority=Willing(), registry=lambda: chain) as issuer:
        if not rest:
            print(enrol(issuer, home), flush=True)
            return
        token, secret = rest
        end_at(point)
        print(
            json.dumps(issue(issuer, token, PrivateKey.from_bytes("P-256", bytes.fromhex(secret))))
        )
        sys.stdout.flush()
        issuer.publish()
        (known,) = issuer.records.credentials()
        issuer.change("revoke", [known.id], reason="fraud", actor="clerk")
        print("revoked", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), FileChain(Path(sys.argv[2])), *sys.argv[3:])
