"""Tiles and bundles as plain files, under the very paths of c2sp.org/tlog-tiles.

A file appears whole or not at all: it is written under another name, made durable, then renamed.
`TileFiles.write` returns when files and names are durable. Any web server can serve the folder.

Several processes may share the folder on one machine. One that was paused blocks nobody, and when
it wakes up it shows no older checkpoint. On a network file system without locks it may, until it
has asked the record right afterwards (`registry.engine.publishing`), or, if it ends before that,
until the next checkpoint. No check before can close this: to rename is unconditional there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from registry.errors import StoreFailed, StoreFull, TileMissing
from registry.storage import is_document_name, size_of_note
from registry.storage.lock import TurnLock
from registry.tlog.tiles import WIDTH, Tile

CHECKPOINT = "checkpoint"
DOCUMENTS = "documents"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SYNC_TOGETHER: Final = 256  # files; for fewer, others need not wait for the whole file system


class TileFiles:
    """`Tiles` in a folder."""

    def __init__(
        self, folder: Path, *, documents: Path | None = None, shared: bool = False
    ) -> None:
        """`documents`: the folder for those, by default one beside the tiles. `shared`: other
        processes may write here at the same time."""
        self.folder = folder
        self.name = folder.name
        self._documents = documents or folder / DOCUMENTS
        # Two processes must not write into one unfinished file. One alone leaves less behind when
        # it is killed if the next one writes over it.
        self._suffix = f".{os.getpid()}.new" if shared else ".new"
        self._document_lock = threading.Lock()
        self._checkpoint_lock = threading.Lock()

    def read(self, tile: Tile) -> bytes:
        """The bytes on disk, unchecked; raises `TileMissing` and `StoreFailed`."""
        try:
            with open(f"{self.folder}/{tile.path}", "rb", buffering=0) as file:  # noqa: PTH123
                return file.read()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TileMissing(path=tile.path) from error
        except OSError as error:
            raise self._failure(error) from error

    def write(self, tiles: Iterable[tuple[Tile, bytes]], *, replace: bool = False) -> None:
        """Write durably; raises `StoreFull` and `StoreFailed`, and then some may be missing."""
        self._replace([(self.folder / tile.path, data) for tile, data in tiles])

    def write_checkpoint(self, note: bytes, *, replace: bool = False) -> None:
        path = self.folder / CHECKPOINT
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            written = False
            while not written:
                lock = TurnLock(self.folder / f".{CHECKPOINT}.lock")
                with self._checkpoint_lock, lock as turn:
                    shown = _content(path)
                    if not replace and shown and size_of_note(shown) > size_of_note(note):
                        return
                    written = self._replace([(path, note)], late=lambda: not turn.held)
        except OSError as error:
            raise self._failure(error) from error

    def read_checkpoint(self) -> bytes | None:
        try:
            return _content(self.folder / CHECKPOINT)
        except OSError as error:
            raise self._failure(error) from error

    def put_document(self, name: str, data: bytes) -> None:
        if not is_document_name(name):
            raise StoreFailed(store=self.name, reason="a document cannot have this name")
        with self._document_lock:
            self._replace([(self._documents / name, data)])

    def get_document(self, name: str) -> bytes | None:
        if not is_document_name(name):
            return None
        try:
            return _content(self._documents / name)
        except OSError as error:
            raise self._failure(error) from error

    def drop_partials(self, tiles: Iterable[Tile]) -> None:
        """Remove partial versions of full tiles (tlog-tiles allows it, "Partial Tiles").

        What cannot be removed stays: it costs room and harms nobody.
        """
        folder = str(self.folder)
        for tile in tiles:
            partials = f"{folder}/{tile.path}.p"
            if tile.width == WIDTH and os.path.isdir(partials):  # noqa: PTH112 - see `_replace`
                shutil.rmtree(partials, ignore_errors=True)

    def _replace(
        self, files: list[tuple[Path, bytes]], *, late: Callable[[], bool] = lambda: False
    ) -> bool:
        """Each step for all files before the next: the file system then syncs them together.

        False, and nothing is replaced, when it has become too `late` in the meantime.
        """
        # Plain text and calls of the system: of Path's own, a large log would notice each.
        names = [(str(path), data) for path, data in files]
        temporaries = []
        for name, _ in names:
            parent, _, last = name.rpartition("/")
            temporaries.append(f"{parent}/.{last}{self._suffix}")
        folders = {Path(parent) for parent in {name.rpartition("/")[0] for name, _ in names}}
        try:
            for folder in list(folders):
                missing = [p for p in (folder, *folder.parents) if not p.exists()]
                folder.mkdir(parents=True, exist_ok=True)
                folders.update(p.parent for p in missing)  # their names must last, too
            for temporary, (_, data) in zip(temporaries, names, strict=True):
                _write(temporary, data)
            self._sync_all(temporaries)
            if late():
                for temporary in temporaries:
                    os.unlink(temporary)  # noqa: PTH108
                return False
            for temporary, (name, _) in zip(temporaries, names, strict=True):
                os.replace(temporary, name)  # noqa: PTH105
            for folder in folders:
                sync(folder)
            return True
        except OSError as error:
            for temporary in temporaries:
                with suppress(OSError):
                    os.unlink(temporary)  # noqa: PTH108
            raise self._failure(error) from error

    def _sync_all(self, names: list[str]) -> None:
        """Make the contents of files durable: one by one, or many with their file system."""
        if len(names) >= _SYNC_TOGETHER and sync_file_system(self.folder):
            return
        for name in names:
            sync(name)

    def _failure(self, error: OSError) -> StoreFull | StoreFailed:
        if error.errno in _FULL:
            return StoreFull(store=self.folder.name)
        return StoreFailed(store=self.folder.name, reason=os.strerror(error.errno or 0))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(name: str, data: bytes) -> None:
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        written = os.write(handle, data)
        while written < len(data):
            written += os.write(handle, data[written:])
    finally:
        os.close(handle)


def sync(path: Path | str) -> None:
    """Make the content of a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@cache
def _syncfs() -> Callable[[int], int] | None:
    """The call of Linux, where it tells of failed writes: since 5.8 (syncfs(2), "ERRORS")."""
    if sys.platform != "linux":
        return None
    version = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    found = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    return found if version >= (5, 8) else None


def sync_file_system(folder: Path) -> bool:
    """Make all that was written to the file system of `folder` durable; False where it cannot be.

    Raises OSError when anything could not be written.
    """
    call = _syncfs()
    if call is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        if call(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
    return True
