"""Reading flat entries at one look: the exact bytes of a kind as one regular expression.

The kinds that make up nearly all of every chain hold short plain texts only. Of such a kind the
canonical bytes (RFC 8785) are one regular language: members in order, no spaces, nothing that
would need an escape. What matches is an entry of the kind; what does not match may still be one,
or be malformed, and the caller finds out the long way. So an expression may be narrower than the
check it stands for, and must never be wider: the tests compare both ways on any bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

# Spellings of texts, narrower than or equal to the checks of `registry.ledger.entries`.
BASE64URL: Final = r"[A-Za-z0-9_-]"
HASH: Final = rf"u{BASE64URL}{{42}}[AEIMQUYcgkosw048]"  # 32 bytes; the last 2 bits are zero
SIGNATURE: Final = rf"u(?:{BASE64URL}{{85}}[AQgw]|{BASE64URL}{{128}})"  # 64 or 96 bytes
PLAIN: Final = r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,1024}"
TIME: Final = (  # the 29th of February goes the long way
    r"2[0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)
COUNT: Final = r"[1-9][0-9]{0,14}"  # below 2^53


class Spelling:
    """How entries of one kind are spelt, whose members are texts or, spelt `COUNT`, numbers."""

    def __init__(self, kind: str, members: Mapping[str, str]) -> None:
        """`members`: the spelling of each, besides `kind` and `v`."""
        self.kind: Final = kind
        self._names: Final = sorted(members)
        self._numbers: Final = [name for name in members if members[name] == COUNT]
        parts = {"kind": f'"{kind}"', "v": "1"}
        for name, text in members.items():
            parts[name] = f"({text})" if text == COUNT else f'"({text})"'
        # RFC 8785 §3.2.3: members in the order of their names.
        whole = ",".join(f'"{name}":{parts[name]}' for name in sorted(parts))
        self._empty: Final[dict[str, Any]] = dict.fromkeys(sorted(parts)) | {"kind": kind, "v": 1}
        self.prefix: Final = f'{{"{min(parts)}":'.encode()
        self.match: Final = re.compile(rf"\{{{whole}\}}".encode()).fullmatch
        """Finds the entry in its bytes; None when they are not spelt like this."""

    def body(self, match: re.Match[bytes]) -> dict[str, Any]:
        """The members of the entry that was found."""
        body = self._empty.copy()
        body.update(zip(self._names, [text.decode() for text in match.groups()], strict=True))
        for name in self._numbers:
            body[name] = int(body[name])
        return body
