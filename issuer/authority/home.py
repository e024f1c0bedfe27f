"""The authority's home: made once by `init`, opened by `serve`.

`authority.json` and `certificate.pem` are public: they are what an issuer pins, and travel to it
by a way the operator trusts. `keys.json` is sealed with a passphrase and holds the signing key,
the key under which failed questions are counted, and the passphrase of `certificate-key.pem`.

Several servers may share one home: what must happen once happens in a transaction of the ledger.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from credentials.dids import check_did
from credentials.errors import CredentialError, WrongPassphrase
from credentials.keyfile import RECOMMENDED, Cost, seal, unseal
from credentials.keys import PrivateKey, PublicKey
from credentials.multibase import base64url_decode, base64url_encode
from issuer.authority.errors import (
    AuthorityExists,
    AuthorityKeysCorrupt,
    AuthorityMissing,
    AuthorityStoreFailed,
    IssuerKeyFileMalformed,
)
from issuer.authority.ledger import Ledger
from issuer.authority.register import USUAL_SEED, USUAL_SIZE, Register, build_register
from issuer.authority.service import Authority
from issuer.files import make_private_folder, write_private
from issuer.times import Clock, stamp, system_clock
from schemas.backoff import FAILURES_FILE, BackOff

PUBLIC_FILE: Final = "authority.json"
CERTIFICATE_FILE: Final = "certificate.pem"
CERTIFICATE_KEY_FILE: Final = "certificate-key.pem"
KEYS_FILE: Final = "keys.json"
REGISTER_FILE: Final = "register.sqlite"
LEDGER_FILE: Final = "ledger.sqlite"

USUAL_DID: Final = "did:web:population.zhenglian.example"
KEY_FRAGMENT: Final = "answer"
CERTIFICATE_LIFE: Final = timedelta(days=825)
_KEYS_LABEL: Final = "authority"
_MAX_FILE: Final = 64 * 1024


@dataclass(frozen=True)
class PublicFacts:
    """What `authority.json` tells everyone. `key` is the multikey that signs answers."""

    did: str
    key: str
    method: str
    certificate_sha256: str
    created: str
    synthetic: bool = True
    """Always true: this is a reference register of people who do not exist."""

    def as_json(self) -> dict[str, object]:
        return {
            "did": self.did,
            "key": self.key,
            "method": self.method,
            "certificateSha256": self.certificate_sha256,
            "created": self.created,
            "synthetic": self.synthetic,
        }


@dataclass(frozen=True)
class OpenAuthority:
    """What a server needs. The certificate's passphrase opens its key file, nothing else."""

    authority: Authority
    certificate: Path
    certificate_key: Path
    certificate_passphrase: str

    def close(self) -> None:
        self.authority.ledger.close()
        self.authority.register.close()

    def __enter__(self) -> OpenAuthority:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"OpenAuthority({self.authority.did}, secrets hidden)"


def create(
    home: Path,
    passphrase: str,
    *,
    did: str = USUAL_DID,
    hosts: Sequence[str] = (),
    seed: str = USUAL_SEED,
    residents: int = USUAL_SIZE,
    clock: Clock = system_clock,
    random: Callable[[int], bytes] = os.urandom,
    cost: Cost = RECOMMENDED,
) -> PublicFacts:
    """Make keys, certificate, register and ledger in `home`.

    `hosts` are further names or addresses the server is reached at, besides this machine's own.
    Raises `AuthorityExists`, `RegisterTooSmall`, `AuthorityStoreFailed`, `DidMalformed`.
    """
    check_did(did)
    if (home / PUBLIC_FILE).exists():
        raise AuthorityExists(home=home)
    make_private_folder(home)
    build_register(home / REGISTER_FILE, seed=seed, residents=residents)
    Ledger(home / LEDGER_FILE).close()
    now = clock()
    signing = PrivateKey.generate("Ed25519")
    certificate_passphrase = base64url_encode(random(32))
    certificate, key = _self_signed(hosts, now, certificate_passphrase)
    write_private(home / CERTIFICATE_FILE, certificate)
    write_private(home / CERTIFICATE_KEY_FILE, key)
    secrets = {
        "v": 1,
        "signing": base64url_encode(signing.to_bytes()),
        "persons": base64url_encode(random(32)),
        "certificate": certificate_passphrase,
    }
    sealed = seal(
        json.dumps(secrets).encode(), passphrase, rng=random, cost=cost, label=_KEYS_LABEL
    )
    write_private(home / KEYS_FILE, sealed)
    facts = PublicFacts(
        did=did,
        key=signing.public_key.multikey(),
        method=f"{did}#{KEY_FRAGMENT}",
        certificate_sha256=_fingerprint(certificate),
        created=stamp(now),
    )
    # Last: its presence says that everything else is there.
    write_private(home / PUBLIC_FILE, (json.dumps(facts.as_json(), indent=2) + "\n").encode())
    return facts


def public_facts(home: Path) -> PublicFacts:
    """Raises `AuthorityMissing`, `AuthorityStoreFailed`."""
    try:
        told = json.loads((home / PUBLIC_FILE).read_bytes())
        return PublicFacts(
            did=told["did"],
            key=told["key"],
            method=told["method"],
            certificate_sha256=told["certificateSha256"],
            created=told["created"],
        )
    except FileNotFoundError as error:
        raise AuthorityMissing(home=home) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AuthorityStoreFailed from error


def open_authority(
    home: Path,
    passphrase: str,
    *,
    clock: Clock = system_clock,
    sleep: Callable[[float], None] = time.sleep,
) -> OpenAuthority:
    """Open what `create` made; each wrong passphrase makes the next try wait longer.

    Raises `AuthorityMissing`, `WrongPassphrase`, `AuthorityKeysCorrupt`, `RegisterCorrupt`.
    """
    facts = public_facts(home)
    try:
        sealed = (home / KEYS_FILE).read_bytes()
    except OSError as error:
        raise AuthorityStoreFailed from error
    backoff = BackOff(home / FAILURES_FILE, clock, sleep)
    try:
        with backoff.attempt(WrongPassphrase):
            opened = unseal(sealed, passphrase, label=_KEYS_LABEL)
    except OSError as error:
        raise AuthorityStoreFailed from error
    try:
        secrets = json.loads(opened)
        signing = PrivateKey.from_bytes("Ed25519", base64url_decode(secrets["signing"]))
        persons = base64url_decode(secrets["persons"])
        certificate_passphrase = str(secrets["certificate"])
    except (CredentialError, ValueError, KeyError, TypeError) as error:
        raise AuthorityKeysCorrupt from error
    if signing.public_key.multikey() != facts.key:
        raise AuthorityKeysCorrupt
    return OpenAuthority(
        authority=Authority(
            did=facts.did,
            key_url=facts.method,
            register=Register(home / REGISTER_FILE),
            ledger=Ledger(home / LEDGER_FILE, person_key=persons),
            signer=signing,
            clock=clock,
        ),
        certificate=home / CERTIFICATE_FILE,
        certificate_key=home / CERTIFICATE_KEY_FILE,
        certificate_passphrase=certificate_passphrase,
    )


def read_issuer_key(path: Path) -> tuple[str, PublicKey]:
    """The DID and key of a file `{"did", "publicKeyMultibase"}`.

    Raises `IssuerKeyFileMalformed`.
    """
    try:
        with path.open("rb") as stream:
            content = json.loads(stream.read(_MAX_FILE))
        return check_did(content["did"]), PublicKey.from_multikey(content["publicKeyMultibase"])
    except OSError as error:
        raise IssuerKeyFileMalformed(reason=error.strerror or "unreadable") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IssuerKeyFileMalformed(
            reason="not an object of did and publicKeyMultibase"
        ) from error
    except CredentialError as error:
        raise IssuerKeyFileMalformed(reason=error.code) from error


def _self_signed(hosts: Sequence[str], now: datetime, passphrase: str) -> tuple[bytes, bytes]:
    """A certificate that only a pin makes trustworthy, and its encrypted key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Zhenglian reference authority")])
    names: list[x509.GeneralName] = []
    for host in dict.fromkeys(("localhost", "127.0.0.1", "::1", *hosts)):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + CERTIFICATE_LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Not a certificate authority: whoever pins it trusts this one server, nothing it signs.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode("ascii")),
        ),
    )


def _fingerprint(certificate: bytes) -> str:
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).hexdigest()
