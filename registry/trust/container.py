"""The container of a trust bundle: a zip of plain files in one exact form.

Any zip tool opens it. Reading is strict: files are stored, not compressed (so nothing can
inflate), named from a fixed alphabet (so nothing can leave its folder), and the whole archive
must be byte for byte what `pack` makes of its files. One changed bit anywhere is found.

This says nothing about who made the bundle: that is decided by its contents (`trust.load`).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Final

from registry.errors import BundleCorrupt

MAX_BUNDLE_BYTES: Final = 64 * 1024 * 1024  # 10^8 anchors need 13 MB of tile hashes
MAX_FILES: Final = 4096
_NAME: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_-]*(?:/[A-Za-z0-9][A-Za-z0-9_-]*)*(?:\.[a-z]{1,8})?"
)
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # a zip cannot say "no date"


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of `files`; equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            if not _NAME.fullmatch(name):
                raise ValueError("not a name of a bundle's file")
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The files in `data`; raises BundleCorrupt for any archive that `pack` did not make."""
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleCorrupt(part="zip", reason="it is too large")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_FILES:
                raise BundleCorrupt(part="zip", reason="it has too many files")
            # Members that overlap would cost more than the archive's own size.
            if sum(member.file_size for member in members) > len(data):
                raise BundleCorrupt(part="zip", reason="its files are larger than it")
            for member in members:
                if not _NAME.fullmatch(member.filename) or member.filename in files:
                    raise BundleCorrupt(part="zip", reason="a file has a bad name, or two have one")
                if member.compress_type != zipfile.ZIP_STORED or member.flag_bits:
                    raise BundleCorrupt(part=member.filename, reason="it is not plain")
                try:
                    files[member.filename] = archive.read(member)
                except zipfile.BadZipFile as error:
                    raise BundleCorrupt(
                        part=member.filename, reason="its checksum does not fit"
                    ) from error
    except BundleCorrupt:
        raise
    # zipfile raises all of these for headers that contradict each other.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise BundleCorrupt(part="zip", reason="it is not a whole zip file") from error
    except (RuntimeError, zipfile.LargeZipFile, OverflowError) as error:
        raise BundleCorrupt(part="zip", reason="it is not a plain zip file") from error
    if pack(files) != data:
        raise BundleCorrupt(part="zip", reason="it was altered or made by another program")
    return files
