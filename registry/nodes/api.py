"""The HTTP face of a node.

c2sp.org/tlog-witness for submission and monitoring under one prefix; the reading routes of
`registry.reading.reader_api`, the same as a sequencer's, from the node's own copy; its status, and
what it refused with the evidence.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from registry.engine.summary import Summary
from registry.explorer import add_explorer_routes
from registry.nodes.catching_up import CatchingUp
from registry.nodes.node import Node
from registry.nodes.refusals import Refusal
from registry.reading.reader_api import FRESH, add_error_answers, add_reader_routes
from registry.witnessing.mirror import Mirror
from registry.witnessing.mirror_api import add_mirror_routes
from registry.witnessing.witness_api import answered, respond

MAX_REFUSALS: Final = 1000


def told_refusal(refusal: Refusal) -> dict[str, Any]:
    """A refusal with its evidence, as JSON: leaves that are no text are given in base64."""
    leaves = []
    for leaf in refusal.leaves:
        try:
            leaves.append({"text": leaf.decode()})
        except UnicodeDecodeError:
            leaves.append({"base64": base64.b64encode(leaf).decode()})
    return {
        "number": refusal.number,
        "time": refusal.time,
        "code": refusal.code,
        "reason": refusal.reason,
        "origin": refusal.origin,
        "index": refusal.index,
        "checkpoint": refusal.note.decode("utf-8", "replace"),
        "leaves": leaves,
    }


def build_node_app(
    node: Node,
    catching_up: CatchingUp | None = None,
    *,
    folder: Path | None = None,
    mirror: Mirror | None = None,
) -> FastAPI:
    """The application that serves `node`; `folder` keeps the explorer's counts.

    A `mirror` of logs of others is served under `/mirror`: its monitoring prefix must be another
    than the witness' (tlog-mirror).
    """
    app = FastAPI(title=f"Zhenglian node {node.name}", docs_url=None, redoc_url=None)
    add_error_answers(app)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        answer = await answered(request, node.add_checkpoint)
        if catching_up is not None and answer.status_code == 200:
            catching_up.wake()
        return answer

    @app.post("/sign-subtree")
    async def sign_subtree(request: Request) -> Response:
        return await answered(request, node.sign_subtree)

    # One segment: origins of chains have two at least, so this cannot hide theirs.
    @app.head("/{origin_hash}/checkpoint", include_in_schema=False)
    @app.get("/{origin_hash}/checkpoint")
    def monitored(origin_hash: str) -> Response:
        return respond(node.checkpoint(origin_hash))

    @app.get("/status")
    def status() -> Response:
        told = dict(node.status())
        told["nodes"] = (
            [{"name": name, "url": url} for name, url in catching_up.addresses().items()]
            if catching_up is not None
            else []
        )
        return JSONResponse(told, headers=FRESH)

    @app.get("/refusals")
    def refusals(limit: Annotated[int, Query(ge=1, le=MAX_REFUSALS)] = 100) -> Response:
        told = [told_refusal(refusal) for refusal in node.refusals(limit)]
        return JSONResponse({"node": node.name, "refusals": told}, headers=FRESH)

    if mirror is not None:
        add_mirror_routes(app, mirror)
    summary: Summary = add_explorer_routes(app, node.reader, folder=folder)
    app.state.summary = summary  # closed by whoever closes the node
    add_reader_routes(app, node.reader)
    return app
