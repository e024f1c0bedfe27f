"""A reader's copy over HTTP: what is read, the explorer, and what the copy is of.

It serves what a node serves and signs nothing. It grows only when another archive is imported.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from registry.explorer import add_explorer_routes
from registry.nodes.mirror import Mirror
from registry.reading.reader_api import FRESH, add_error_answers, add_reader_routes


def build_copy_app(mirror: Mirror, folder: Path) -> FastAPI:
    """The application that serves the copy in `folder`."""
    app = FastAPI(title="Zhenglian copy", docs_url=None, redoc_url=None)
    add_error_answers(app)

    @app.get("/status")
    def status() -> Response:
        cosigned = mirror.reader.cosigned()
        told = {
            "copy": True,
            "network": mirror.genesis.network,
            "chains": [{"origin": origin, "size": size} for origin, size in mirror.sizes().items()],
            "cosignedSize": cosigned.size if cosigned else 0,
        }
        return JSONResponse(told, headers=FRESH)

    add_explorer_routes(app, mirror.reader, folder=folder)
    add_reader_routes(app, mirror.reader)
    return app
