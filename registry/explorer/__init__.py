"""The public explorer: a page that any node or sequencer serves beside its reading routes.

The page fetches checkpoints, tiles and entries from the server it came from, and its script
checks them in the reader's browser against the genesis: hashes, paths, signatures. It relies on
that server for one thing that it cannot check: that the script is ours and the genesis the right
one. It says so, and lets the reader put a genesis of their own in its place.

Routes, all below `/explorer/`: the page's files, and what saves a reader from scanning whole
chains (`api/…`: counts, rules, where a digest is named). Those are hints; what the page calls
verified, it has verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse

from registry.engine.summary import MAX_PAGE, Summary, SummaryKeeper
from registry.engine.view import LogView
from registry.ledger.genesis import Genesis
from registry.limits import HASH_BYTES, MAX_TREE_SIZE

MAX_DAYS: Final = 3660
_TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_FILES: Final = (
    "index.html",
    "explorer.css",
    "icon.svg",
    "app.js",
    "chain.js",
    "charts.js",
    "dom.js",
    "entries.js",
    "lookup.js",
    "memory.js",
    "merkle.js",
    "note.js",
    "overview.js",
    "parts.js",
    "rules.js",
    "texts.js",
    "views.js",
)
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The page loads nothing from elsewhere, runs no inline script, and makes no HTML out of text."""
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}
_FRESH: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Source(Protocol):
    """What the explorer reads: any holder of the chains."""

    @property
    def genesis(self) -> Genesis: ...

    @property
    def views(self) -> Mapping[str, LogView]: ...


def add_explorer_routes(app: FastAPI, source: Source, *, folder: Path | None = None) -> Summary:
    """Serve the explorer of `source`. Its counts are kept in `folder`, else in memory.

    Must be added before routes that take any path. Close the returned summary with the source.
    """
    page = {
        name: (
            (files(__package__) / name).read_bytes(),
            {**_HEADERS, "Content-Type": _TYPES[name.rpartition(".")[2]]},
        )
        for name in _FILES
    }
    summary = Summary(folder)
    keeper = SummaryKeeper(summary)

    def refreshed() -> bool:
        return keeper.refresh(lambda: dict(source.views))

    @app.get("/", include_in_schema=False)
    def _root() -> Response:
        return RedirectResponse("explorer/", 307, dict(_FRESH))

    @app.get("/explorer", include_in_schema=False)
    def _bare() -> Response:
        return RedirectResponse("explorer/", 307, dict(_FRESH))

    @app.get("/explorer/api/counts")
    def _counts(days: Annotated[int, Query(ge=1, le=MAX_DAYS)] = 30) -> Response:
        complete = refreshed()
        since = (datetime.now(UTC) - timedelta(days=days - 1)).strftime("%Y-%m-%d")
        told: dict[str, Any] = {
            "complete": complete,
            "since": since,
            "days": summary.counts(since),
            "totals": summary.totals(),
            "scanned": {origin: summary.scanned(origin) for origin in source.views},
        }
        return JSONResponse(told, headers=_FRESH)

    @app.get("/explorer/api/rules")
    def _rules(
        after: Annotated[int, Query(ge=-1, le=MAX_TREE_SIZE)] = -1,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    ) -> Response:
        complete = refreshed()
        found = [{"index": index, "entry": raw} for index, raw in summary.rules(after, limit)]
        return JSONResponse({"rules": found, "complete": complete}, headers=_FRESH)

    @app.get("/explorer/api/find/{digest}")
    def _find(digest: str) -> Response:
        refreshed()
        return JSONResponse({"entries": summary.find(digest[:128])}, headers=_FRESH)

    @app.get("/explorer/api/locate/{leaf}")
    def _locate(leaf: str) -> Response:
        # Over all chains at once: an answer, not an error, where a leaf is unknown.
        try:
            wanted = bytes.fromhex(leaf)
        except ValueError:
            wanted = b""
        found = {
            origin: view.index_of(wanted)
            for origin, view in source.views.items()
            if len(wanted) == HASH_BYTES
        }
        places = [
            {"origin": origin, "index": index}
            for origin, index in found.items()
            if index is not None
        ]
        return JSONResponse({"places": places}, headers=_FRESH)

    @app.get("/explorer/api/network")
    def _network() -> Response:
        genesis = source.genesis
        told = {
            "network": genesis.network,
            "origin": genesis.origin,
            "genesis": sha256(genesis.entry.raw).hexdigest(),
            "chains": {origin: view.size for origin, view in source.views.items()},
        }
        return JSONResponse(told, headers=_FRESH)

    @app.get("/explorer/{name:path}", include_in_schema=False)
    def _page(name: str) -> Response:
        found = page.get(name or "index.html")
        if found is None:
            return Response("not found\n", 404, dict(_FRESH), "text/plain; charset=utf-8")
        data, headers = found
        return Response(data, 200, headers)

    return summary
