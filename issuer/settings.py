"""What the operator decided at `zl issuer init`, kept in `<home>/settings.json`. No secrets."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from credentials.dids import check_did
from credentials.errors import DidMalformed
from issuer.errors import NotInitialised, SettingsMalformed
from issuer.files import write_private
from schemas.errors import Phrase

SETTINGS_FILE: Final = "settings.json"
GENESIS_FILE: Final = "genesis.json"
AUTHORITY_CERTIFICATE_FILE: Final = "authority.pem"
ACCREDITATION_FILE: Final = "accreditation.json"
AUTHORITY_CLIENT_FILE: Final = "authority-client.json"

DEFAULT_VALIDITY_DAYS: Final = 365
MAX_VALIDITY_DAYS: Final = 3653
DEFAULT_OFFER_MINUTES: Final = 10
# A list older than this is signed and anchored anew, so that desks see that nothing changed.
DEFAULT_STATUS_REFRESH_HOURS: Final = 24
# Addresses of status lists travel in every credential and count against the QR code.
MAX_PUBLIC_URL: Final = 120

_LANGUAGES: Final = ("zh-CN", "en")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class AuthoritySettings:
    """Where the authority answers, and whose signature its answers must carry."""

    url: str
    did: str
    key: str  # multikey that signs the answers


@dataclass(frozen=True)
class Settings:
    did: str
    name: Mapping[str, str]
    public_url: str  # the credential issuer identifier: no trailing slash
    registry_urls: tuple[str, ...]
    network: str
    authority: AuthoritySettings
    created: str
    validity_days: int = DEFAULT_VALIDITY_DAYS
    offer_minutes: int = DEFAULT_OFFER_MINUTES
    status_refresh_hours: int = DEFAULT_STATUS_REFRESH_HOURS
    scenarios: tuple[str, ...] = field(default=("resident-identity",))

    def __post_init__(self) -> None:
        for did in (self.did, self.authority.did):
            try:
                check_did(did)
            except DidMalformed as error:
                raise SettingsMalformed(reason="a DID is malformed") from error
        if not self.did.startswith("did:web:"):
            raise SettingsMalformed(reason="the DID is not a did:web")
        if set(self.name) != set(_LANGUAGES) or not all(
            isinstance(text, str) and text.strip() for text in self.name.values()
        ):
            raise SettingsMalformed(reason="the name must be given in Chinese and in English")
        check_url(self.public_url, "public URL")
        if len(self.public_url) > MAX_PUBLIC_URL:
            raise SettingsMalformed(reason="the public URL is too long for the codes it goes into")
        if not self.registry_urls:
            raise SettingsMalformed(reason="no registry is named")
        for url in self.registry_urls:
            check_url(url, "registry URL")
        check_url(self.authority.url, "authority URL")
        if not 1 <= self.validity_days <= MAX_VALIDITY_DAYS:
            raise SettingsMalformed(
                reason=Phrase("validity is 1 to {most} days", most=MAX_VALIDITY_DAYS)
            )
        if not 1 <= self.offer_minutes <= 24 * 60:
            raise SettingsMalformed(reason="an offer lives 1 minute to 24 hours")
        if self.status_refresh_hours < 1:
            raise SettingsMalformed(reason="status lists are refreshed at most hourly")

    @property
    def anchor_origin(self) -> str:
        return f"{self.network}/identity"

    @property
    def status_origin(self) -> str:
        """Status lists stand on the side chain of the scenario whose credentials they rule."""
        return f"{self.network}/identity"

    def status_url(self, number: int) -> str:
        return f"{self.public_url}/status/{number}"

    @classmethod
    def load(cls, home: Path) -> Self:
        """Raises `NotInitialised`, `SettingsMalformed`."""
        try:
            text = (home / SETTINGS_FILE).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise NotInitialised(home=home) from error
        try:
            raw: dict[str, Any] = json.loads(text)
            if set(raw) != {f.name for f in fields(cls)}:
                raise SettingsMalformed(reason="settings.json lacks a member or has a foreign one")
            for name in ("registry_urls", "scenarios"):
                raw[name] = tuple(raw[name])
            raw["authority"] = AuthoritySettings(**raw["authority"])
            return cls(**raw)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SettingsMalformed(reason="settings.json is not what init wrote") from error

    def save(self, home: Path) -> None:
        content = json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"
        write_private(home / SETTINGS_FILE, content.encode())


def check_url(url: str, what: str) -> None:
    """Absolute, no query, no trailing slash; plain http only on loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise SettingsMalformed(reason=Phrase("the {what} is not a URL", what=what)) from error
    if parts.scheme not in {"https", "http"} or not host or parts.query or parts.fragment:
        raise SettingsMalformed(
            reason=Phrase("the {what} is not an absolute http(s) URL", what=what)
        )
    if parts.username or parts.password:
        raise SettingsMalformed(
            reason=Phrase("the {what} must not carry a user or password", what=what)
        )
    if url.endswith("/"):
        raise SettingsMalformed(reason=Phrase("the {what} must not end with a slash", what=what))
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsMalformed(
            reason=Phrase("the {what} must be https beyond this machine", what=what)
        )
