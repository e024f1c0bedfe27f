"""Tiles and bundles as plain files, under the very paths of c2sp.org/tlog-tiles.

A file appears whole or not at all: it is written under another name, made durable, then renamed.
`TileFiles.write` returns when files and names are durable. Any web server can serve the folder.

Several processes may share the folder on one machine. On a network file system the checkpoint
may fall back when a paused process wakes up, for that rests on a file lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from registry.errors import StoreFailed, StoreFull, TileMissing
from registry.storage import is_document_name, size_of_note
from registry.tiles import WIDTH, Tile

CHECKPOINT = "checkpoint"
DOCUMENTS = "documents"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


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

    def read(self, tile: Tile) -> bytes:
        """The bytes on disk, unchecked; raises `TileMissing` and `StoreFailed`."""
        try:
            return (self.folder / tile.path).read_bytes()
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
            lock = os.open(self.folder / f".{CHECKPOINT}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                shown = _content(path)
                if replace or shown is None or size_of_note(shown) <= size_of_note(note):
                    self._replace([(path, note)])
            finally:
                os.close(lock)
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
        for tile in tiles:
            if tile.width == WIDTH:
                shutil.rmtree(self.folder / f"{tile.path}.p", ignore_errors=True)

    def _replace(self, files: list[tuple[Path, bytes]]) -> None:
        """Each step for all files before the next: the file system then syncs them together."""
        temporaries = [(path.with_name(f".{path.name}{self._suffix}"), path) for path, _ in files]
        folders = {path.parent for path, _ in files}
        try:
            for folder in list(folders):
                missing = [p for p in (folder, *folder.parents) if not p.exists()]
                folder.mkdir(parents=True, exist_ok=True)
                folders.update(p.parent for p in missing)  # their names must last, too
            for (temporary, _), (_, data) in zip(temporaries, files, strict=True):
                temporary.write_bytes(data)
            for temporary, _ in temporaries:
                sync(temporary)
            for temporary, path in temporaries:
                temporary.replace(path)
            for folder in folders:
                sync(folder)
        except OSError as error:
            for temporary, _ in temporaries:
                with suppress(OSError):
                    temporary.unlink()
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> StoreFull | StoreFailed:
        if error.errno in _FULL:
            return StoreFull(store=self.folder.name)
        return StoreFailed(store=self.folder.name, reason=os.strerror(error.errno or 0))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def sync(path: Path) -> None:
    """Make the content of a file, or the names in a folder, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
