"""The keys behind the addresses: one for each cryptosuite and each type of key that it takes.

Fresh at each start, or kept in one sealed file. Whoever reads the file without its passphrase
learns the names of no keys and none of their secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from credentials.canonical.strict_json import parse_json_object
from credentials.dids import did_key, key_url
from credentials.errors import CredentialError
from credentials.keyfile import seal, unseal
from credentials.keys import KeyType, PrivateKey
from credentials.multibase import base64url_decode, base64url_encode
from credentials.proofs.suite import Cryptosuite
from schemas.durable import replace_file
from zhenglian.vc_api.errors import KeysUnusable

LABEL: Final = "vc-api"
ENVELOPES: Final = ("vc-jwt", "vc-sd-jwt", "vc-cose")
"""Addresses that secure by an envelope."""
_FIRST: Final[KeyType] = "P-256"
"""Of several key types, the one whose address has no suffix."""


@dataclass(frozen=True)
class Party:
    """Who signs at one address."""

    name: str
    cryptosuite: str
    key: PrivateKey

    @property
    def did(self) -> str:
        return did_key(self.key.public_key)

    @property
    def method(self) -> str:
        return key_url(self.key.public_key)


def addresses(suites: Mapping[str, Cryptosuite]) -> dict[str, tuple[str, KeyType]]:
    """For each address the cryptosuite and the type of key: `<suite>` or `<suite>-p384`."""
    found: dict[str, tuple[str, KeyType]] = {}
    for name, suite in sorted(suites.items()):
        types = sorted(suite.key_types, key=lambda kind: (kind != _FIRST, kind))
        for index, kind in enumerate(types):
            suffix = "" if index == 0 else "-" + kind.replace("-", "").lower()
            found[name + suffix] = (name, kind)
    # Envelopes are no cryptosuites; their addresses stand beside those of the table.
    return found | {name: (name, _FIRST) for name in ENVELOPES}


def fresh_parties(suites: Mapping[str, Cryptosuite]) -> dict[str, Party]:
    """A new key for each address."""
    return {
        name: Party(name, suite, PrivateKey.generate(kind))
        for name, (suite, kind) in addresses(suites).items()
    }


def kept_parties(
    suites: Mapping[str, Cryptosuite], path: Path, passphrase: Callable[[], str]
) -> dict[str, Party]:
    """The keys in `path`; those that are missing are made and added. Raises KeysUnusable."""
    parties = fresh_parties(suites)
    words = passphrase()
    try:
        kept = parse_json_object(unseal(path.read_bytes(), words, label=LABEL))
    except FileNotFoundError:
        kept = {}
    except OSError as error:
        raise KeysUnusable(path=path, reason=error.strerror or "unreadable") from error
    for name, party in parties.items():
        if name in kept:
            try:
                secret = base64url_decode(kept[name])
                key = PrivateKey.from_bytes(party.key.type, secret)
            except (CredentialError, TypeError, AttributeError) as error:
                raise KeysUnusable(path=path, reason="a key in it is malformed") from error
            parties[name] = Party(name, party.cryptosuite, key)
    if not kept.keys() >= parties.keys():
        secrets = {name: base64url_encode(party.key.to_bytes()) for name, party in parties.items()}
        sealed = seal(json.dumps(kept | secrets).encode(), words, label=LABEL)
        try:
            replace_file(path, sealed)
        except OSError as error:
            raise KeysUnusable(path=path, reason=error.strerror or "not writable") from error
    return parties
