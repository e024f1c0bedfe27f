"""Files of the issuer's home: private, durable, whole or absent."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from issuer.errors import StoreFull, StoreUnavailable
from schemas.durable import replace_file

FULL_ERRNOS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def make_private_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise store_error(error) from error


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content` (mode 0600), on the disk before this returns.

    Raises `StoreFull`, `StoreUnavailable`; then the old content, if any, is untouched.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise store_error(error) from error


def store_error(error: OSError) -> StoreFull | StoreUnavailable:
    """What kept a file from being used, by its name."""
    return StoreFull() if error.errno in FULL_ERRNOS else StoreUnavailable()
