"""Draws the explorer's picture for the documentation: the real page, of a small town in memory.

    .venv/bin/python docs/explorer_picture.py      # writes docs/images/explorer*.png

It needs Chromium and fonts with Chinese characters. Times and keys differ from run to run.
"""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import uvicorn
from playwright.sync_api import ViewportSize, sync_playwright

from credentials.multibase import multibase_base64
from registry.ledger.entries import access_entry, anchor_entry
from registry.simulation import simulator
from registry.simulation.simulator import Consortium

IMAGES: Final = Path(__file__).resolve().parent / "images"
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE: Final[ViewportSize] = {"width": 960, "height": 1180}
DAYS: Final = (180, 260, 90, 310, 240, 150, 120)


def digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def grow(chain: Consortium) -> None:
    """A week of anchors and access records."""
    issuer, desk = chain.add_issuer(), chain.add_verifier()
    chain.entitle(desk.did)
    for day, count in enumerate(DAYS):
        for first in range(0, count, 60):
            rows = [
                anchor_entry(issuer.did, digest(f"anchor {day} {n}"))
                for n in range(first, min(count, first + 60))
            ]
            chain.client.submit(chain.genesis.identity_origin, rows, issuer.key, issuer.key_url)
        rows = [access_entry(desk.did, digest(f"access {day} {n}")) for n in range(count // 4)]
        chain.client.submit(chain.genesis.access_origin, rows, desk.key, desk.key_url)
        chain.settle()
        if day + 1 < len(DAYS):
            chain.advance(days=1)


def main() -> int:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.stderr.write("Chromium is not installed\n")
        return 4
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=len(DAYS) - 1)
    simulator.START = start  # type: ignore[misc]  # accreditations begin with the network
    with (
        tempfile.TemporaryDirectory() as folder,
        Consortium(Path(folder), start=start) as chain,
        socket.socket() as server,
        sync_playwright() as playwright,
    ):
        grow(chain)
        server.bind(("127.0.0.1", 0))
        server.listen()
        app = chain.transport.apps["registry.invalid"]
        worker = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=worker.run, kwargs={"sockets": [server]}, daemon=True)
        thread.start()
        while not worker.started:
            time.sleep(0.01)
        page_url = f"http://127.0.0.1:{server.getsockname()[1]}/explorer/"
        query = multibase_base64(digest("anchor 3 77"))
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for suffix, locale in (("", "en-US"), (".zh-CN", "zh-CN")):
            page = browser.new_context(locale=locale, viewport=SIZE).new_page()
            for name, fragment in (
                ("explorer", f"#/lookup/{query}"),
                ("explorer-overview", "#/overview/7"),
            ):
                page.goto("about:blank")
                page.goto(page_url + fragment)
                page.wait_for_selector("main h1")
                page.wait_for_selector("main[aria-busy]", state="detached")
                page.screenshot(path=IMAGES / f"{name}{suffix}.png")
        browser.close()
        worker.should_exit = True
        thread.join(timeout=10)
    return 0


if __name__ == "__main__":
    sys.exit(main())
