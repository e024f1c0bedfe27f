"""Files that the owner asks for: a new name each time, readable by the owner alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from wallet.errors import VaultFull, VaultUnwritable
from wallet.tui.errors import FileThere, SaveFailed
from wallet.vault.guard import write_atomically


def suggestion(folder: Path, stem: str, ending: str, now: datetime) -> Path:
    """A name in `folder` that is still free."""
    stamp = now.astimezone().strftime("%Y%m%d-%H%M%S")
    path = folder / f"{stem}-{stamp}.{ending}"
    number = 2
    while path.exists():
        path = folder / f"{stem}-{stamp}-{number}.{ending}"
        number += 1
    return path


def save(path: Path, data: bytes) -> Path:
    """Write a new file and return where it is. Raises FileThere, SaveFailed."""
    path = path.expanduser().absolute()
    if path.exists():
        raise FileThere(path=path)
    if not path.parent.is_dir():
        raise SaveFailed(reason="there is no such folder")
    try:
        write_atomically(path, data)
    except VaultFull as error:
        raise SaveFailed(reason="the disk is full") from error
    except VaultUnwritable as error:
        raise SaveFailed(reason=error.params["reason"]) from error
    return path
