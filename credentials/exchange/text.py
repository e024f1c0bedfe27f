"""Reading the small members that offers, requests and records share: texts, addresses, links.

Every function returns the value or raises the error class it is given, with a reason that names
the member and never its content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from credentials.errors import CredentialError
from schemas.errors import Phrase

MAX_LABEL: Final = 200
"""Characters of a name or purpose: two lines on a phone, and part of a QR code."""
MAX_ADDRESS: Final = 512
MAX_LINK_FIELDS: Final = 16
LANGUAGES: Final = ("zh-CN", "en")
_HOST: Final = re.compile(r"[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]", re.ASCII)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

Refusal = type[CredentialError]


def labels(value: object, member: str, refusal: Refusal) -> dict[str, str]:
    """A text in one or both languages, printable: nothing in it may move a cursor or turn a
    line around on the screen that asks for consent."""
    if not isinstance(value, Mapping) or not value or not set(value) <= set(LANGUAGES):
        raise refusal(reason=Phrase("{member} is not a text in Chinese or English", member=member))
    result = {}
    for language in LANGUAGES:
        if language not in value:
            continue
        text = value[language]
        if not isinstance(text, str) or not text.strip() or len(text) > MAX_LABEL:
            raise refusal(reason=Phrase("{member} is empty or too long", member=member))
        if not text.isprintable():
            raise refusal(
                reason=Phrase("{member} holds characters that do not print", member=member)
            )
        result[language] = text
    return result


def web_address(value: object, member: str, refusal: Refusal) -> str:
    """An https URL without user, query and fragment; http only to this very machine."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS:
        raise refusal(reason=Phrase("{member} is not an address of normal length", member=member))
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise refusal(
            reason=Phrase("{member} holds characters that addresses cannot hold", member=member)
        )
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise refusal(reason=Phrase("{member} is not an address", member=member)) from error
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    netloc = parts.netloc.rpartition(":")[0] if _port is not None else parts.netloc
    if not secure or not host or not _HOST.fullmatch(netloc):
        raise refusal(reason=Phrase("{member} is not an https address", member=member))
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise refusal(reason=Phrase("{member} carries more than an address", member=member))
    return value


def link_fields(text: str, scheme: str, refusal: Refusal) -> dict[str, str]:
    """The fields of `scheme://…?a=b&c=d`, each at most once."""
    _, mark, query = text.partition("?")
    if not text.startswith(f"{scheme}://") or not mark:
        raise refusal(reason=Phrase("it is not an {scheme} link", scheme=scheme))
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_LINK_FIELDS,
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise refusal(reason="the link is not well formed") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise refusal(reason="the link names something twice")
    return fields


def text_member(
    source: Mapping[str, Any], member: str, shape: re.Pattern[str], refusal: Refusal
) -> str:
    """A text of exactly `shape`."""
    value = source.get(member)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise refusal(reason=Phrase("{member} is missing or of another form", member=member))
    return value
