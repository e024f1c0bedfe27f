"""Tiles and bundles as plain files, under the very paths of c2sp.org/tlog-tiles.

A file appears whole or not at all: it is written under another name, made durable, then renamed.
`TileFiles.write` returns when files and names are durable. Any web server can serve the folder.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from registry.errors import StoreFailed, StoreFull, TileMissing
from registry.tiles import WIDTH, Tile

CHECKPOINT = "checkpoint"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class TileFiles:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, tile: Tile) -> bytes:
        """The bytes on disk, unchecked; raises `TileMissing` and `StoreFailed`."""
        try:
            return (self.folder / tile.path).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TileMissing(path=tile.path) from error
        except OSError as error:
            raise self._failure(error) from error

    def write(self, tiles: Iterable[tuple[Tile, bytes]]) -> None:
        """Write durably; raises `StoreFull` and `StoreFailed`, and then some may be missing."""
        folders: set[Path] = set()
        try:
            for tile, data in tiles:
                self._replace(self.folder / tile.path, data, folders)
            for folder in folders:
                _sync_folder(folder)
        except OSError as error:
            raise self._failure(error) from error

    def write_checkpoint(self, note: bytes) -> None:
        folders: set[Path] = set()
        try:
            self._replace(self.folder / CHECKPOINT, note, folders)
            for folder in folders:
                _sync_folder(folder)
        except OSError as error:
            raise self._failure(error) from error

    def read_checkpoint(self) -> bytes | None:
        try:
            return (self.folder / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failure(error) from error

    def drop_partials(self, tiles: Iterable[Tile]) -> None:
        """Remove partial versions of full tiles (tlog-tiles allows it, "Partial Tiles").

        What cannot be removed stays: it costs room and harms nobody.
        """
        for tile in tiles:
            if tile.width == WIDTH:
                shutil.rmtree(self.folder / f"{tile.path}.p", ignore_errors=True)

    def _replace(self, path: Path, data: bytes, folders: set[Path]) -> None:
        parent = path.parent
        if not parent.is_dir():
            missing = [p for p in (parent, *parent.parents) if not p.exists()]
            parent.mkdir(parents=True, exist_ok=True)
            folders.update(p.parent for p in missing)  # their names must last, too
        temporary = parent / f".{path.name}.new"
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        folders.add(parent)

    def _failure(self, error: OSError) -> StoreFull | StoreFailed:
        if error.errno in _FULL:
            return StoreFull(store=self.folder.name)
        return StoreFailed(store=self.folder.name, reason=os.strerror(error.errno or 0))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
