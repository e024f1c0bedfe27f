"""How a transaction code reaches the applicant: by another channel than the offer.

A `Notifier` is told after the code is chosen and before the offer is committed. If it cannot
deliver, the offer is not made. The code appears in no log, no answer and no other file.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from issuer.files import make_private_folder, write_private
from issuer.times import stamp

_SAFE_NAME: Final = re.compile(r"[a-z2-7]{1,64}")


class Notifier(Protocol):
    """Delivers a transaction code to the applicant of `application`."""

    def deliver(self, application: str, tx_code: str, expires: datetime) -> None: ...

    def withdraw(self, application: str) -> None:
        """The code is used, locked or replaced: forget the message if it still waits."""


class FileOutbox:
    """Writes `<folder>/<application>.json` (mode 0600) for the message gateway to pick up.

    The gateway (SMS, letter) is not part of Zhenglian; whoever may read this folder may read
    codes that are not used yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, application: str, tx_code: str, expires: datetime) -> None:
        make_private_folder(self._folder)
        message = {"application": application, "tx_code": tx_code, "expires": stamp(expires)}
        write_private(self._file(application), json.dumps(message).encode())

    def withdraw(self, application: str) -> None:
        self._file(application).unlink(missing_ok=True)

    def _file(self, application: str) -> Path:
        if not _SAFE_NAME.fullmatch(application):
            raise ValueError("an application id is base32 text")
        return self._folder / f"{application}.json"
