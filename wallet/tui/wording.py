"""Words that more than one screen needs: times, spans, and what to do after an error *here*."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from schemas.errors import ZhenglianError
from schemas.texts import Texts, load_texts, localize
from wallet.words import mark as _

VEIL: Final = "••••••"
"""Stands for a sensitive value. Its length says nothing of the value's."""

# The wallet's errors name commands; whoever is in the app is better served with keys.
HINTS: Final[Mapping[str, str]] = {
    "ZL-WALLET-NO-TRUST": _("Press Ctrl+R while the registry can be reached."),
    "ZL-ISSUER-NOT-ACCREDITED": _(
        "Do not give it any data. If it is new, press Ctrl+R on the list."
    ),
    "ZL-VERIFIER-NOT-ACCREDITED": _(
        "The wallet does not answer. If the department is new, press Ctrl+R on the list."
    ),
    "ZL-TX-CODE-NEEDED": _("Type it into the field for the transaction code."),
    "ZL-REQUEST-EXCEEDS": _("You may decline. To show it nevertheless, tick the box that says so."),
    "ZL-RECEIPT-NONE": _("Import the department's receipt first: press i."),
    "ZL-VAULT-LOCKED": _("Close the other terminal that has the wallet open, then try again."),
}


def explain(error: ZhenglianError, language: str) -> dict[str, str]:
    """Code, message and hint of `error`, for a reader who sits in the app."""
    told = localize(error, language)
    hint = HINTS.get(error.code)
    if hint is not None:
        told["hint"] = load_texts("wallet", language)(hint)
    return told


def moment(time: datetime) -> str:
    """A time in the reader's own zone, to the minute."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def day(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d")


def seconds_left(expires: datetime, now: datetime) -> int:
    """Whole seconds until `expires`, never below zero; the last one is shown as 1."""
    return max(0, ceil((expires - now) / timedelta(seconds=1)))


def span(seconds: int) -> str:
    """4:05 or 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def listed(words: Texts, items: tuple[str, ...]) -> str:
    """Items with the comma of the language."""
    return words(", ").join(items)
