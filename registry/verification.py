"""Checking a sequencer's chains from their bytes: stores, rules and signatures.

Two passes. The first (`registry.fsck`) finds damage: every entry, tile, root and index row. The
second replays the rules as a node does, and checks the published main checkpoint's quorum. So it
also finds what a dishonest operator wrote consistently. Only what the quorum has cosigned can
rule out that everything was replaced by another consistent history.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from registry.chain import chain_folder
from registry.entries import Entry
from registry.errors import RegistryError
from registry.following import Follower
from registry.fsck import check_log
from registry.genesis import Genesis
from registry.log import TILES, Log
from registry.note import VerifierKey
from registry.storage.tilefiles import TileFiles
from registry.view import LogView


def verify_chains(home: Path, genesis: Genesis, *, now: datetime) -> list[dict[str, Any]]:
    """What is wrong with each chain under `home`: origin, size and findings, main chain first."""
    follower = Follower(genesis)
    views: dict[str, LogView] = {}

    def read(origin: str, start: int, end: int) -> Any:
        if origin not in views:
            views[origin] = Log.open_view(chain_folder(home, genesis, origin), origin=origin)
        return views[origin].iterate(start, end)

    def keep(origin: str, index: int, leaves: Sequence[Entry]) -> None:
        """Nothing: this replay only checks."""

    reports: list[dict[str, Any]] = [_report(home, genesis, genesis.origin, genesis.log_key)]
    try:
        main = Log.open_view(chain_folder(home, genesis, genesis.origin), origin=genesis.origin)
        views[genesis.origin] = main
        checkpoint = main.checkpoint
        follower.advance(checkpoint.size, checkpoint.root, read=read, keep=keep, now=now)
        published = TileFiles(chain_folder(home, genesis, genesis.origin) / TILES).read_checkpoint()
        if published is not None:
            genesis.policy.check(published, origin=genesis.origin, now=int(now.timestamp()))
    except RegistryError as error:
        reports[0]["findings"].append({"damage": error.code, "where": str(error)})
    finally:
        for view in views.values():
            view.close()
    for origin, chain in follower.governance.chains.items():
        reports.append(_report(home, genesis, origin, chain.log_key.encode()))
    return reports


def _report(home: Path, genesis: Genesis, origin: str, log_key: str) -> dict[str, Any]:
    try:
        report = check_log(
            chain_folder(home, genesis, origin), origin=origin, log_key=VerifierKey.parse(log_key)
        )
    except RegistryError as error:
        finding = {"damage": error.code, "where": str(error)}
        return {"origin": origin, "size": 0, "findings": [finding]}
    return {
        "origin": origin,
        "size": report.size,
        "findings": [{"damage": str(f.damage), "where": f.where} for f in report.findings],
    }
