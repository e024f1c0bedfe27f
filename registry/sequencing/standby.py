"""Reading a network whose chains another process writes, until this one takes over.

Everything is read from the shared stores and checked like any reading of a log; only the
catalogue is this process's own. What is shown may be a moment old. Nothing is taken in: adds are
refused with the address of the process that takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from registry.engine.catalogue import Catalogue
from registry.engine.view import LogView, load_edge
from registry.errors import (
    StandingBy,
    StoreBehind,
    StoreForeign,
    StoreMissing,
    TileCorrupt,
    TileMissing,
)
from registry.explorer import add_explorer_routes
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.reading.documents import read_document
from registry.reading.reader import ChainReader
from registry.reading.reader_api import FRESH, add_error_answers, add_reader_routes
from registry.storage import Store
from registry.storage.places import Places

FOLDER: Final = "standby"


class Standby:
    """The chains of one network as their stores show them. `refresh` from one thread only."""

    def __init__(self, home: Path, genesis: Genesis, places: Places) -> None:
        """Raises what keeps the main chain from being read, and StoreForeign."""
        self.genesis: Final = genesis
        self._places = places
        self._stores: dict[str, Store] = {}
        self._views: dict[str, LogView] = {}
        self._notes: dict[str, bytes | None] = {}
        self._heads: dict[str, Mapping[str, Any]] = {}  # the chain entries, by origin
        self.catalogue: Final = Catalogue(home)
        tiles = places.tiles(genesis.origin)
        self.reader: Final = ChainReader(
            genesis,
            views=self._views,
            catalogue=self.catalogue,
            published=self._notes.get,
            document=lambda digest: read_document(tiles, digest),
        )
        try:
            view = self._open(genesis.origin)
            if view.size and view.entry(0) != genesis.entry.raw:
                raise StoreForeign(
                    store=self._stores[genesis.origin].name,
                    found="another network's genesis",
                    expected=genesis.network,
                )
        except BaseException:
            self.close()
            raise

    def _open(self, origin: str) -> LogView:
        store = self._places.read(origin)
        try:
            tiles = self._places.tiles(origin)
            view = LogView(store, tiles, load_edge(store, tiles))
        except BaseException:
            store.close()
            raise
        self._stores[origin] = store
        self._views[origin] = view
        return view

    def refresh(self) -> None:
        """Show what was integrated and published since, and what chains were registered."""
        self._refresh(self.genesis.origin)
        for _, entry in self.catalogue.rules(self._views[self.genesis.origin].size):
            if entry.kind == "chain":
                self._heads[entry["origin"]] = entry.body
        for origin in self._heads:
            if origin not in self._views:
                try:
                    self._open(origin)
                except StoreMissing:
                    continue  # registered at this moment
            self._refresh(origin)

    def _refresh(self, origin: str) -> None:
        # In this order: what was published is never larger than what is integrated afterwards.
        note = self._stores[origin].published()
        try:
            self._views[origin].refresh()
        except (TileMissing, TileCorrupt):
            return  # the writer was quicker; the next time it is there
        size = self._views[origin].size
        if (known := self.catalogue.scanned(origin)) > size:
            raise StoreBehind(store=self._stores[origin].name, size=size, known=known)
        self.catalogue.catch_up(self._views[origin], size)
        self._notes[origin] = note

    def status(self, now: datetime, holder: str | None) -> dict[str, Any]:
        """What `Sequencer.status` tells, as far as it can be read from here."""
        cosigned = self.reader.cosigned()
        size = self._views[self.genesis.origin].size
        return {
            "network": self.genesis.network,
            "time": encode_time(now),
            "quorum": self.genesis.quorum,
            "standby": {"holder": holder},
            "main": {
                "origin": self.genesis.origin,
                "size": size,
                "cosignedSize": cosigned.size if cosigned else 0,
                "cosignedAt": encode_time(cosigned.time) if cosigned and cosigned.time else None,
                "current": cosigned is not None and cosigned.size == size,
            },
            "chains": [
                {
                    "origin": origin,
                    "purpose": body["purpose"],
                    "scenario": body["scenario"],
                    "size": self._views[origin].size if origin in self._views else 0,
                }
                for origin, body in self._heads.items()
            ],
            "nodes": [],
            "alarms": [] if holder else ["no process takes entries"],
        }

    def close(self) -> None:
        """Release what was opened; the places stay open."""
        for store in self._stores.values():
            store.close()
        self.catalogue.close()


def build_standby_app(
    standby: Standby,
    *,
    folder: Path,
    holder: Callable[[], str | None],
    now: Callable[[], datetime],
) -> FastAPI:
    """The application that serves `standby`: everything that is read, and refusals with an
    address for everything else."""
    app = FastAPI(title="Zhenglian registry, standing by", docs_url=None, redoc_url=None)
    add_error_answers(app)

    @app.get("/status")
    def status() -> Response:
        return JSONResponse(standby.status(now(), holder()), headers=FRESH)

    @app.put("/status-lists/{digest}")
    @app.post("/{origin:path}/add")
    def refused() -> Response:
        raise StandingBy(address=holder() or "nobody yet")

    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    add_explorer_routes(app, standby.reader, folder=folder / FOLDER)
    add_reader_routes(app, standby.reader)
    return app
