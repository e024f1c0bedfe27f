"""Files of the issuer's home: private, durable, whole or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from issuer.errors import StoreFull, StoreUnavailable

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
    part = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise store_error(error) from error


def store_error(error: OSError) -> StoreFull | StoreUnavailable:
    """What kept a file from being used, by its name."""
    return StoreFull() if error.errno in FULL_ERRNOS else StoreUnavailable()
