"""An issuer's office on a temporary disk, a clock that tests move, an authority they steer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from credentials.jose import sign_compact
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey
from issuer.authority.client import AuthorityAnswer
from issuer.authority.errors import AuthorityUnreachable
from issuer.keyring import Keyring
from issuer.notify import FileOutbox
from issuer.office import Office
from issuer.sealing import Sealer
from issuer.settings import AuthoritySettings, Settings
from issuer.store import Store
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
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def check(self, person: Mapping[str, str]) -> AuthorityAnswer:
        self.asked.append(tuple(sorted(person)))
        if not self.reachable:
            raise AuthorityUnreachable
        return AuthorityAnswer(
            passed=self.passes,
            authority="did:web:authority.example",
            checked_at=self.clock(),
            reply_digest=digest_multibase(b"a signed answer"),
            reply="a signed answer",
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
