"""Tiles and bundles in an object store: any that speaks S3, through obstore.

Guaranteed, by a store that honours the conditions of S3 (`If-None-Match`, `If-Match`): a full
tile is written once and never changes, and the checkpoint never falls back, whichever process
wakes up late. A store that ignores the conditions still gets right tiles, for they are functions
of the record; only those two guards are lost, and whoever wrote over a newer checkpoint learns so
from the record right afterwards (`registry.engine.publishing`).

The objects have the very paths of c2sp.org/tlog-tiles, so the bucket can be served as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from registry.errors import (
    BucketMissing,
    PlaceInvalid,
    StoreFailed,
    StoreRefused,
    StoreUnreachable,
    TileMissing,
    TileTaken,
)
from registry.storage import is_document_name, size_of_note
from registry.tlog.tiles import WIDTH, Tile

CHECKPOINT: Final = "checkpoint"
DOCUMENTS: Final = "documents"
_AT_ONCE: Final = 16  # requests in flight: each waits for a server far away
_TRIES: Final = 5  # of a conditional write whose condition another writer's broke
_TIMEOUT: Final = "10s"
_RETRY_S: Final = 15
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_FRESH: Final = "no-store"
_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


class TileObjects:
    """`Tiles` in an obstore store (S3; in memory for tests)."""

    def __init__(self, store: Any, name: str) -> None:
        """`store` is an obstore store whose root is this log's; `open_bucket` makes one."""
        self._store = store
        self.name: Final = name
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="objects")

    def check(self) -> None:
        """Raise by name what keeps the store from being used: no server, no bucket, no right."""
        with self._named():
            obstore.list_with_delimiter(self._store, "tile")

    def read(self, tile: Tile) -> bytes:
        data = self._get(tile.path)
        if data is None:
            raise TileMissing(path=tile.path)
        return data

    def write(self, tiles: Iterable[tuple[Tile, bytes]], *, replace: bool = False) -> None:
        def put(item: tuple[Tile, bytes]) -> None:
            tile, data = item
            if tile.width < WIDTH or replace:
                self._put(tile.path, data)
            else:
                self._create(tile.path, data)

        self._each(put, tiles)

    def drop_partials(self, tiles: Iterable[Tile]) -> None:
        def drop(tile: Tile) -> None:
            try:
                found = obstore.list(self._store, prefix=f"{tile.path}.p").collect()
                if found:
                    obstore.delete(self._store, [item["path"] for item in found])
            except (BaseError, OSError):
                return  # it costs room and harms nobody (tlog-tiles, "Partial Tiles")

        self._each(drop, [tile for tile in tiles if tile.width == WIDTH])

    def write_checkpoint(self, note: bytes, *, replace: bool = False) -> None:
        for _ in range(_TRIES):
            shown, tag = self._read_tagged(CHECKPOINT)
            if shown is not None and size_of_note(shown) > size_of_note(note) and not replace:
                return
            # The condition closes the gap between looking and writing.
            try:
                with self._named():
                    mode: Any = "create" if shown is None else {"e_tag": tag}
                    self._put_as(CHECKPOINT, note, mode)
                    return
            except (AlreadyExistsError, PreconditionError):
                continue
            except (NotSupportedError, NotImplementedError):
                self._put(CHECKPOINT, note)  # see the module: this guard is the store's
                return
        raise StoreFailed(store=self.name, reason="its checkpoint changes all the time")

    def read_checkpoint(self) -> bytes | None:
        return self._get(CHECKPOINT)

    def put_document(self, name: str, data: bytes) -> None:
        if not is_document_name(name):
            raise StoreFailed(store=self.name, reason="a document cannot have this name")
        self._put(f"{DOCUMENTS}/{name}", data)

    def get_document(self, name: str) -> bytes | None:
        return self._get(f"{DOCUMENTS}/{name}") if is_document_name(name) else None

    # --- requests ---

    def _each(self, call: Callable[[Any], None], items: Iterable[Any]) -> None:
        """All of them, some at a time; raises the first failure when none is under way."""
        failures = [f.exception() for f in [self._pool.submit(call, item) for item in items]]
        for failure in failures:
            if failure is not None:
                raise failure

    def _get(self, path: str) -> bytes | None:
        return self._read_tagged(path)[0]

    def _read_tagged(self, path: str) -> tuple[bytes | None, str | None]:
        try:
            with self._named():
                found = obstore.get(self._store, path)
                return bytes(found.bytes()), found.meta["e_tag"]
        except FileNotFoundError:
            return None, None

    def _put(self, path: str, data: bytes) -> None:
        with self._named():
            self._put_as(path, data, "overwrite")

    def _put_as(self, path: str, data: bytes, mode: Any) -> None:
        # As tlog-tiles wants them served. A partial tile does not change either, it only goes.
        told = {"Cache-Control": _IMMUTABLE, "Content-Type": _OCTETS}
        if path == CHECKPOINT:
            told = {"Cache-Control": _FRESH, "Content-Type": _TEXT}
        elif path.startswith(f"{DOCUMENTS}/"):
            told["Content-Type"] = _JSON
        # Stores without attributes (folders, for tests) refuse them.
        attributes = told if isinstance(self._store, S3Store) else None
        obstore.put(self._store, path, data, mode=mode, attributes=attributes)

    def _create(self, path: str, data: bytes) -> None:
        try:
            with self._named():
                self._put_as(path, data, "create")
        except AlreadyExistsError as error:
            # A writer that was killed wrote it before; what it wrote was the same.
            if self._get(path) != data:
                raise TileTaken(path=path, store=self.name) from error

    @contextmanager
    def _named(self) -> Iterator[None]:
        """obstore's errors as ours, but those that a condition or a missing object raise."""
        try:
            yield
        except (AlreadyExistsError, PreconditionError, NotSupportedError):
            raise
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StoreRefused(store=self.name, reason=type(error).__name__) from error
        except (BaseError, OSError) as error:
            text = str(error)
            if "NoSuchBucket" in text:
                raise BucketMissing(store=self.name) from error
            if isinstance(error, FileNotFoundError):
                raise
            raise StoreUnreachable(store=self.name, reason=_cause(text)) from error


def _cause(text: str) -> str:
    """What obstore says, without the addresses and retries around it."""
    for sign, cause in (
        ("error sending request", "no connection"),
        ("timed out", "no answer in time"),
        ("status code: 5", "the server failed"),
    ):
        if sign in text:
            return cause
    return "the object store reports an error"


def check_tiles_url(url: str) -> None:
    """Raise `PlaceInvalid` unless it is `s3://bucket[/prefix]` with nothing secret in it."""
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise PlaceInvalid(reason="an S3 address has a bucket and a prefix, and no key or password")
    if parts.scheme != "s3" or not parts.netloc:
        raise PlaceInvalid(reason="tiles lie in `files`, file:///folder or s3://bucket/prefix")


def open_bucket(
    url: str, name: str, *, environ: Mapping[str, str] | None = None, **config: Any
) -> TileObjects:
    """The tiles under `url` (s3://bucket/prefix), for a log that errors call `name`.

    Endpoint, region and keys come from the AWS_* variables of the environment, or `config`. A
    plain http endpoint needs AWS_ALLOW_HTTP=true.
    """
    check_tiles_url(url)
    parts = urlsplit(url)
    environ = os.environ if environ is None else environ
    if not {"AWS_REGION", "AWS_DEFAULT_REGION"} & environ.keys():
        config.setdefault("region", "us-east-1")  # what stores of other makers expect
    options: Any = {"timeout": _TIMEOUT, "connect_timeout": "3s"}
    if environ.get("AWS_ALLOW_HTTP", "").lower() in {"true", "1"}:
        options["allow_http"] = True  # given options hide this variable from obstore
    options |= config.pop("client_options", {})
    try:
        store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options=options,
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=_RETRY_S)},
            **config,
        )
    except (BaseError, ValueError) as error:
        raise PlaceInvalid(reason="the AWS_* settings do not describe an S3 store") from error
    return TileObjects(store, name)
