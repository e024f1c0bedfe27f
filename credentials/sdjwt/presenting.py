"""Hold an SD-JWT and present it: the holder's part of RFC 9901 §7.2.

Guarantee: a presentation shows the claims that were named, what lies below them, and of what lies
above them nothing but the way there. It never carries somebody else's key binding.

Not guaranteed: the issuer's signature. A holder checks that once, on receipt, with
`credentials.sdjwt.verify_issued`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from credentials.errors import KeyBindingUnexpected, LimitExceeded, PointerUnknown
from credentials.jose import parse_compact
from credentials.sdjwt.binding import KeyBinding, sign_key_binding
from credentials.sdjwt.paths import ClaimPath, Path, as_index, as_paths, covers, show_path
from credentials.sdjwt.token import SdJwt
from credentials.sdjwt.unpacking import hash_name, unpack

_MOST: Final = 4096  # values that one path with None in it may name


class HeldSdJwt:
    """An SD-JWT in its holder's hands, unpacked once, presented as often as wanted.

    `claims` are the processed claims with everything disclosed; `disclosable` the paths of what
    can be hidden.
    """

    __slots__ = ("_hash_name", "_placed", "_token", "claims", "disclosable")

    def __init__(self, token: SdJwt) -> None:
        """Raises KeyBindingUnexpected (§7.2), and the errors of parsing and unpacking."""
        if token.key_binding is not None:
            raise KeyBindingUnexpected
        payload = parse_compact(token.jwt).payload
        self._hash_name = hash_name(payload)
        self.claims, self._placed = unpack(payload, token.disclosures)
        self._token = token
        self.disclosable: tuple[Path, ...] = tuple(placed.path for placed in self._placed)

    @classmethod
    def parse(cls, text: str) -> HeldSdJwt:
        """Read the compact form."""
        return cls(SdJwt.parse(text))

    def select(self, show: Iterable[ClaimPath]) -> SdJwt:
        """The token with the disclosures that `show` needs. Raises PointerUnknown."""
        wanted = as_paths(show)
        for path in wanted:
            if not _exists(self.claims, path):
                raise PointerUnknown(pointer=show_path(path))
        chosen: set[str] = set()
        for placed in self._placed:
            # `covers` also finds what stands around a wanted claim (§7.2 step 2.b).
            if any(covers(path, placed.path) for path in wanted):
                chosen.add(placed.text)
        kept = tuple(text for text in self._token.disclosures if text in chosen)
        return SdJwt(self._token.jwt, kept)

    def present(self, show: Iterable[ClaimPath], *, key_binding: KeyBinding | None = None) -> str:
        """The presentation of the claims that `show` names, in compact form.

        Raises PointerInvalid, PointerUnknown, KeyBindingMissing, KeyBindingMismatch.
        """
        part = self.select(show).bound_part
        if key_binding is None:
            return part
        return part + sign_key_binding(part, self.claims, self._hash_name, key_binding)


def present(token: str, show: Iterable[ClaimPath], *, key_binding: KeyBinding | None = None) -> str:
    """`HeldSdJwt.present` for a token that is presented once."""
    return HeldSdJwt.parse(token).present(show, key_binding=key_binding)


def _exists(claims: Any, path: Path) -> bool:
    level = [claims]
    for step in path:
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                if isinstance(step, str) and step in value:
                    below.append(value[step])
            elif isinstance(value, list):
                if step is None:
                    below.extend(value)
                elif (index := as_index(step)) is not None and index < len(value):
                    below.append(value[index])
        level = below
        if len(level) > _MOST:
            raise LimitExceeded(what="selection", limit=f"{_MOST} claims")
    return bool(level)
