"""An issuer's office on a temporary disk, a clock that tests move, an authority they steer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from credentials.dids import did_key
from credentials.jose import sign_compact
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey, Signer
from issuer.authority.client import AuthorityAnswer
from issuer.authority.errors import AuthorityUnreachable
from issuer.keyring import Keyring
from issuer.notify import FileOutbox
from issuer.offers import Offer
from issuer.office import Office
from issuer.sealing import Sealer
from issuer.service import Issuer
from issuer.settings import AuthoritySettings, Settings
from issuer.statuslists import ensure_lists
from issuer.store import Store
from registry.client import Receipt
from registry.errors import EntriesDuplicate, RegistryUnreachable, SubmissionRefused
from registry.ledger.entries import Entry
from registry.ledger.genesis import Genesis, GenesisNode
from registry.ledger.members import document_digest
from registry.tlog.note import ED25519, ED25519_COSIGNATURE, VerifierKey
from schemas.digests import digest_multibase
from schemas.identifiers.gb11643 import build_citizen_number

PUBLIC_URL = "https://issuer.example"


@dataclass
class MovingClock:
    now: datetime = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class SteeredAuthority:
    """Answers as the test says. `asked` holds the field names only."""

    clock: MovingClock
    reachable: bool = True
    passes: bool = True
    trouble: Exception | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def check(self, person: Mapping[str, str]) -> AuthorityAnswer:
        self.asked.append(tuple(sorted(person)))
        if not self.reachable:
            raise AuthorityUnreachable
        if self.trouble is not None:
            raise self.trouble
        return AuthorityAnswer(
            passed=self.passes,
            authority="did:web:authority.example",
            checked_at=self.clock(),
            reply_digest=digest_multibase(b"a signed answer"),
            reply="a signed answer",
        )


@dataclass
class SteeredRegistry:
    """A registry that keeps what it is given, repeats its answers, and fails when it is told to."""

    reachable: bool = True
    refuses: bool = False
    loses_answers: bool = False
    chains: dict[str, list[Entry]] = field(default_factory=dict)
    lists: list[dict[str, Any]] = field(default_factory=list)
    submissions: int = 0

    def put_status_list(self, document: Mapping[str, Any]) -> str:
        if not self.reachable:
            raise RegistryUnreachable(reason="told so")
        self.lists.append(dict(document))
        return document_digest(document)

    def submit(
        self, origin: str, entries: Sequence[Entry], signer: Signer, key_url: str
    ) -> Receipt:
        if not self.reachable:
            raise RegistryUnreachable(reason="told so")
        if self.refuses:
            raise SubmissionRefused(cause="ZL-NOT-PERMITTED", reason="told so")
        self.submissions += 1
        chain = self.chains.setdefault(origin, [])
        known = [entry in chain for entry in entries]
        if any(known) and not all(known):
            raise EntriesDuplicate(positions=[i for i, k in enumerate(known) if k])
        if not any(known):
            chain.extend(entries)
        if self.loses_answers:
            raise RegistryUnreachable(reason="the answer was lost")
        return Receipt(origin, tuple(chain.index(entry) for entry in entries), all(known))

    def kinds(self) -> list[str]:
        return [entry.kind for chain in self.chains.values() for entry in chain]


@pytest.fixture
def registry() -> SteeredRegistry:
    return SteeredRegistry()


@pytest.fixture
def issuer(
    office: Office, authority: SteeredAuthority, registry: SteeredRegistry, outbox: FileOutbox
) -> Issuer:
    with office.store.write() as connection:
        ensure_lists(office, connection)
    return Issuer(office, authority=authority, registry=lambda: registry, notifier=outbox)


@pytest.fixture
def prove_key(issuer: Issuer, clock: MovingClock) -> Callable[..., str]:
    """A key proof; keyword arguments replace or, with None, remove payload members."""

    def prove(
        key: PrivateKey,
        *,
        typ: str = "openid4vci-proof+jwt",
        header: Mapping[str, object] | None = None,
        kid: str | None = None,
        **other: object,
    ) -> str:
        payload = {
            "aud": PUBLIC_URL,
            "iat": int(clock().timestamp()),
            "nonce": issuer.nonce(),
        } | other
        if header is None:
            header = {} if kid is not None else {"jwk": key.public_key.jwk()}
        return sign_compact(
            {name: value for name, value in payload.items() if value is not None},
            typ=typ,
            signer=key,
            kid=kid,
            extra_header=header,
        )

    return prove


@pytest.fixture
def redeem(issuer: Issuer, office: Office) -> Callable[[Offer], str]:
    """The access token for an offer, with the transaction code from the outbox."""

    def run(offer: Offer) -> str:
        content = json.loads(parse_qs(urlsplit(offer.text).query)["credential_offer"][0])
        (grant,) = content["grants"].values()
        message = office.home / "outbox" / f"{offer.application}.json"
        tx_code = json.loads(message.read_text())["tx_code"]
        return issuer.redeem(grant["pre-authorized_code"], tx_code).text

    return run


@pytest.fixture
def issue(
    issuer: Issuer,
    citizen: dict[str, str],
    redeem: Callable[[Offer], str],
    prove_key: Callable[..., str],
) -> Callable[..., dict[str, Any]]:
    """One credential by way of the counter."""

    def run(key: PrivateKey | None = None) -> dict[str, Any]:
        token = redeem(issuer.apply_at_counter(citizen, actor="clerk"))
        proof = prove_key(key or PrivateKey.generate("P-256"))
        return issuer.issue(token, credential_request(proof))

    return run


def credential_request(proof: str) -> dict[str, Any]:
    return {
        "credential_configuration_id": "ResidentIdentityCredential",
        "proofs": {"jwt": [proof]},
    }


@pytest.fixture
def request_for() -> Callable[[str], dict[str, Any]]:
    """A credential request with one proof."""
    return credential_request


@pytest.fixture(scope="session")
def genesis() -> Genesis:
    def vkey(name: str, kind: int) -> str:
        return VerifierKey(name, kind, PrivateKey.generate("Ed25519").public_key.raw).encode()

    network = "hangzhou.zhenglian.example"
    return Genesis.create(
        network=network,
        operator=did_key(PrivateKey.generate("P-256").public_key),
        log_key=vkey(f"{network}/main", ED25519),
        nodes=tuple(
            GenesisNode(
                f"node-{number}",
                {"zh-CN": f"节点{number}", "en": f"Node {number}"},
                vkey(f"node-{number}.example", ED25519_COSIGNATURE),
            )
            for number in range(4)
        ),
        quorum=3,
        created=datetime(2026, 11, 1, tzinfo=UTC),
    )


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def authority(clock: MovingClock) -> SteeredAuthority:
    return SteeredAuthority(clock)


@pytest.fixture
def citizen() -> dict[str, str]:
    return {
        "name": "王小明",
        "citizenNumber": build_citizen_number("330106", date(1990, 1, 1), 101).text,
        "sex": "male",
        "birthDate": "1990-01-01",
        "ethnicity": "汉",
        "division": "330106",
    }


@pytest.fixture
def settings() -> Settings:
    return Settings(
        did="did:web:data.hangzhou.example",
        name={"zh-CN": "杭州市数据资源管理局", "en": "Hangzhou Data Resources Administration"},
        public_url=PUBLIC_URL,
        registry_urls=("http://127.0.0.1:9",),
        network="hangzhou.zhenglian.example",
        authority=AuthoritySettings(
            "https://127.0.0.1:9",
            "did:web:authority.example",
            PrivateKey.generate("Ed25519").public_key.multikey(),
        ),
        created="2026-11-22T09:00:00Z",
    )


@pytest.fixture
def open_office(
    tmp_path: Path, settings: Settings, clock: MovingClock
) -> Iterator[Callable[..., Office]]:
    """Makes an office in `home` (default: a fresh folder); `quota_bytes` bounds its store."""
    stores: list[Store] = []
    keys = Keyring.generate(settings.did, os.urandom)

    def make(home: Path | None = None, *, quota_bytes: int | None = None) -> Office:
        folder = home or tmp_path / "issuer"
        folder.mkdir(exist_ok=True)
        fresh = not (folder / "issuer.sqlite").exists()
        if fresh:
            keys.save(folder, "correct horse", cost=COST_FLOOR)
            settings.save(folder)
        store = Store(folder, create=fresh, quota_bytes=quota_bytes, busy_seconds=0.2)
        stores.append(store)
        return Office(
            home=folder,
            settings=settings,
            keys=keys,
            store=store,
            clock=clock,
            random=os.urandom,
            sealer=Sealer(keys.data_key, os.urandom),
        )

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    return open_office()


@pytest.fixture
def outbox(office: Office) -> FileOutbox:
    return FileOutbox(office.home / "outbox")


@pytest.fixture
def holder() -> PrivateKey:
    return PrivateKey.generate("P-256")


@pytest.fixture
def sign_application(clock: MovingClock) -> Callable[..., str]:
    """A signed application; keyword arguments replace or, with None, remove payload members."""

    def sign(
        key: PrivateKey, data: object, *, typ: str = "zl-application+jwt", **other: object
    ) -> str:
        payload = {
            "aud": PUBLIC_URL,
            "iat": int(clock().timestamp()),
            "jti": os.urandom(16).hex(),
            "application": data,
        } | other
        return sign_compact(
            {name: value for name, value in payload.items() if value is not None},
            typ=typ,
            signer=key,
            extra_header={"jwk": key.public_key.jwk()},
        )

    return sign
