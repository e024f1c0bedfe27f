"""Where the chains of a network are: one store and one place of tiles a chain.

By default each lies in its folder under the registry's home: SQLite, and tiles beside it. The file
`storage.json` there can name databases and object stores instead, for all chains or for single
ones, so that chains scale out side by side:

    {"default": {"store": "postgresql://db.example/registry", "tiles": "s3://bucket/registry"},
     "hangzhou.zhenglian.example/access": {"store": "postgresql://other.example/access",
                                           "tiles": "file:///srv/tiles"}}

Tiles of a chain lie under its short name in the place that is named for them. No secret belongs
in this file, and one that is found there is refused.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from registry.errors import PlaceInvalid, StoreExists, StoreMissing
from registry.storage import Lease, Store, Tiles
from registry.storage.lock import FolderLock
from registry.storage.sqlite import SqliteStore
from registry.storage.tilefiles import TileFiles
from schemas.durable import replace_file

FILE: Final = "storage.json"
CHAINS: Final = "chains"
TILES: Final = "tiles"
DOCUMENTS: Final = "status-lists"
SQLITE: Final = "sqlite"
FILES: Final = "files"
DEFAULT: Final = "default"
_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class Place:
    """Where one chain is kept. `store`: `sqlite` or postgresql://…; `tiles`: `files`,
    file:///folder or s3://bucket/prefix."""

    store: str = SQLITE
    tiles: str = FILES

    def check(self) -> None:
        """Raise `PlaceInvalid` where a part cannot be one, or holds a password."""
        if self.store != SQLITE:
            from registry.storage.database import check_store_url

            check_store_url(self.store)
        if self.tiles.startswith("file:"):
            parts = urlsplit(self.tiles)
            if parts.netloc or not parts.path.startswith("/"):
                raise PlaceInvalid(reason="a folder is named file:///folder, with its whole path")
        elif self.tiles != FILES:
            from registry.storage.objects import check_tiles_url

            check_tiles_url(self.tiles)

    @property
    def shared(self) -> bool:
        """Whether other processes, on other machines perhaps, can find the chain there."""
        return self.store != SQLITE and self.tiles != FILES


@dataclass
class Opened:
    """A chain to be written: the parts belong together and are closed by whoever got them."""

    store: Store
    tiles: Tiles
    lease: Lease


class Places:
    """The places of one network's chains, as one process uses them. Close it last."""

    def __init__(self, home: Path, network: str, places: Mapping[str, Place] | None = None) -> None:
        """`places` by origin, or `default`; what is not named there is in `home`."""
        self.home: Final = home
        self._network = network
        self._places = dict(places or {})
        for place in self._places.values():
            place.check()
        self._address = ""
        self._databases: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, home: Path, network: str) -> Places:
        """What `storage.json` in `home` says. Raises `PlaceInvalid`."""
        path = home / FILE
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(home, network)
        except OSError as error:
            raise PlaceInvalid(reason="storage.json cannot be read") from error
        try:
            told = json.loads(data) if len(data) <= _MAX_BYTES else None
        except (ValueError, RecursionError) as error:
            raise PlaceInvalid(reason="storage.json is not JSON") from error
        if not isinstance(told, dict):
            raise PlaceInvalid(reason="storage.json is not a small JSON object")
        places = {}
        for origin, row in told.items():
            if (
                not isinstance(row, dict)
                or not row.keys() <= {"store", "tiles"}
                or not all(isinstance(value, str) for value in row.values())
            ):
                raise PlaceInvalid(
                    reason="storage.json gives a chain more than `store` and `tiles`"
                )
            if origin != DEFAULT and not origin.startswith(f"{network}/"):
                raise PlaceInvalid(reason="storage.json names a chain of another network")
            places[origin] = Place(**row)
        return cls(home, network, places)

    def save(self) -> None:
        """Write `storage.json`, unless everything is where it is by default."""
        if not self._places:
            return
        told = {
            origin: {"store": place.store, "tiles": place.tiles}
            for origin, place in self._places.items()
        }
        self.home.mkdir(parents=True, exist_ok=True)
        replace_file(self.home / FILE, (json.dumps(told, indent=2) + "\n").encode(), mode=0o644)

    def choose(self, store: str | None, tiles: str | None) -> Places:
        """The same with another default, as far as one is given. Raises `PlaceInvalid`."""
        if store is None and tiles is None:
            return self
        before = self.of("")
        default = Place(store or before.store, tiles or before.tiles)
        return Places(self.home, self._network, {**self._places, DEFAULT: default})

    def check(self, origin: str) -> None:
        """Raise by name what would keep a log from being made: no server, no bucket, no right,
        another format, or a log that is there already."""
        place = self.of(origin)
        _check_tiles(self.tiles(origin))
        if place.store == SQLITE:
            return
        database = self._database(place.store)
        database.connect().close()
        try:
            self.read(origin).close()
        except StoreMissing:
            return
        raise StoreExists(store=f"{origin} in {database.name}")

    def of(self, origin: str) -> Place:
        """Where a chain is."""
        return self._places.get(origin) or self._places.get(DEFAULT) or Place()

    @property
    def shared(self) -> bool:
        """Whether every chain is where other processes can take over."""
        return all(place.shared for place in (*self._places.values(), self.of("")))

    def announce(self, address: str) -> None:
        """Tell others, from the next lease on, where this process can be asked."""
        self._address = address
        with self._lock:
            for database in self._databases.values():
                database.address = address

    # --- chains ---

    def folder(self, origin: str) -> Path:
        """Where a chain lies that is kept in files."""
        return self.home / CHAINS / self._short(origin)

    def _short(self, origin: str) -> str:
        return origin.removeprefix(self._network + "/")

    def create(self, origin: str) -> None:
        """Make an empty store; raises `StoreExists`, and by name what keeps tiles from it."""
        place = self.of(origin)
        _check_tiles(self.tiles(origin))
        if place.store == SQLITE:
            SqliteStore.create(self.folder(origin), origin)
        else:
            from registry.storage.postgres import PostgresStore

            PostgresStore.create(self._database(place.store), origin)

    def open(self, origin: str) -> Opened:
        """Open a chain to write it. Raises `StoreLocked`, `LeaseHeld`, `StoreMissing`, …"""
        place, folder = self.of(origin), self.folder(origin)
        if place.store != SQLITE:
            from registry.storage.postgres import PostgresStore

            database = self._database(place.store)
            lease = database.take(origin)
            try:
                store = PostgresStore(database, origin, lease=lease)
                return Opened(store, self.tiles(origin), lease)
            except BaseException:
                lease.release()
                raise
        if not folder.is_dir():
            raise StoreMissing(store=folder.name)
        lock = FolderLock(folder)
        try:
            return Opened(SqliteStore(folder, origin=origin), self.tiles(origin), lock)
        except BaseException:
            lock.release()
            raise

    def read(self, origin: str) -> Store:
        """The record of a chain, for reading beside whoever writes it."""
        place = self.of(origin)
        if place.store == SQLITE:
            return SqliteStore(self.folder(origin), origin=origin, read_only=True)
        from registry.storage.postgres import PostgresStore

        return PostgresStore(self._database(place.store), origin)

    def tiles(self, origin: str) -> Tiles:
        """The tiles of a chain."""
        place, short = self.of(origin), self._short(origin)
        if place.tiles == FILES:
            return TileFiles(self.folder(origin) / TILES, documents=self.home / DOCUMENTS)
        if place.tiles.startswith("file:"):
            folder = Path(unquote(urlsplit(place.tiles).path)) / short
            return TileFiles(folder, shared=True)
        from registry.storage.objects import open_bucket

        url = f"{place.tiles.rstrip('/')}/{short}"
        return open_bucket(url, url)

    def holder(self, origin: str) -> str | None:
        """The address of the process that writes a chain now, where that is known."""
        place = self.of(origin)
        if place.store == SQLITE:
            return None
        address: str | None = self._database(place.store).holder_of(origin)
        return address

    def _database(self, url: str) -> Any:
        from registry.storage.database import Database

        with self._lock:
            if url not in self._databases:
                self._databases[url] = Database(url, address=self._address)
            return self._databases[url]

    def close(self) -> None:
        """Close the connections that the chains shared."""
        with self._lock:
            databases = list(self._databases.values())
            self._databases.clear()
        for database in databases:
            database.close()


def _check_tiles(tiles: Tiles) -> None:
    check: Callable[[], None] | None = getattr(tiles, "check", None)
    if check is not None:  # folders are made when they are needed
        check()
