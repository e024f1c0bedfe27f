"""A node as it runs: the node, its peers, its loop, and its witness for logs of others.

And how its copy is built anew, from anybody who has the chains, when its disk was lost or damaged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from registry.engine.catalogue import FILE as CATALOGUE
from registry.engine.summary import FILE as SUMMARY
from registry.errors import RegistryError, RegistryUnreachable, StoreFailed
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_time
from registry.nodes.api import build_node_app
from registry.nodes.catching_up import CatchingUp
from registry.nodes.node import Node
from registry.nodes.recovery import Heard, needed
from registry.nodes.store import MIRROR_FILE, read_cosigned
from registry.reading.sources import Peers
from registry.storage.lock import FolderLock
from registry.tlog.checkpoint import open_checkpoint
from registry.tlog.note import NoteSigner, VerifierKey
from registry.witnessing.mirror import Mirror
from registry.witnessing.mirror_store import MIRROR_FILE as COPIES_FILE
from registry.witnessing.mirror_store import MirrorStore
from registry.witnessing.witness import Witness
from registry.witnessing.witness_store import WITNESS_FILE, WitnessStore

log = logging.getLogger(__name__)

TRIES: Final = 5  # of a rebuild whose sources fall silent on the way


class NodeService:
    """One node with all that belongs to it. `start` begins, `close` ends it."""

    def __init__(
        self,
        name: str,
        genesis: Genesis,
        signer: NoteSigner,
        folder: Path,
        *,
        registries: Sequence[str],
        nodes: Mapping[str, str],
        lost: bool,
        logs: Sequence[VerifierKey] = (),
        witness: Sequence[NoteSigner] = (),
        copied: Sequence[VerifierKey] = (),
        mirror: Sequence[NoteSigner] = (),
        now: Callable[[], datetime],
    ) -> None:
        """`nodes`: addresses by name; `logs` of others are cosigned by the signers `witness`.

        Logs `copied` are mirrored in full, for whoever pushes them, by the signers `mirror`.
        """
        self._folder = folder
        self._record: WitnessStore | None = None
        self._copies: MirrorStore | None = None
        self._mirror: Mirror | None = None
        self._app: FastAPI | None = None
        self._peers = Peers(list(registries), nodes)
        others: Witness | None = None
        try:
            if logs:
                self._record = WitnessStore(folder / WITNESS_FILE)
                others = Witness(self._record, witness, _by_log(logs), now=now)
            if copied:
                self._copies = MirrorStore(folder / COPIES_FILE)
                self._mirror = Mirror(self._copies, mirror, _by_log(copied), now=now)
            self.node: Final = Node(
                name, genesis, signer, folder, self._peers, now=now, lost=lost, others=others
            )
        except BaseException:
            self._close_rest()
            raise
        self.catching_up: Final = CatchingUp(self.node, self._peers)

    def app(self) -> FastAPI:
        """What it serves."""
        if self._app is None:
            self._app = build_node_app(
                self.node, self.catching_up, folder=self._folder, mirror=self._mirror
            )
        return self._app

    def start(self) -> None:
        """Begin to keep up with the others."""
        self.catching_up.start()

    def close(self) -> None:
        """End everything; what was answered is on disk."""
        self.catching_up.close()
        if self._app is not None:
            self._app.state.summary.close()
        self.node.close()
        self._close_rest()

    def _close_rest(self) -> None:
        if self._record is not None:
            self._record.close()
        if self._copies is not None:
            self._copies.close()
        self._peers.close()


def _by_log(keys: Sequence[VerifierKey]) -> dict[str, list[VerifierKey]]:
    """Keys by the origin of their log, which they are named after."""
    found: dict[str, list[VerifierKey]] = {}
    for key in keys:
        found.setdefault(key.name, []).append(key)
    return found


def rebuild(
    name: str,
    genesis: Genesis,
    signer: NoteSigner,
    folder: Path,
    *,
    sources: Sequence[str],
    nodes: Mapping[str, str],
    lost: bool,
    now: Callable[[], datetime],
    progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Replay everything from `sources`, checked, up to the newest checkpoint of a quorum.

    What was there is moved aside, not deleted. If its record of what was cosigned can be read, the
    node goes on from it; else it must hear the others first (`registry.nodes.recovery`). Raises
    RegistryUnreachable when no source has a cosigned checkpoint, StoreLocked while the node runs.
    """
    existed = (folder / MIRROR_FILE).exists()
    record = _take_away(genesis, folder, now()) if existed else None
    service = NodeService(
        name,
        genesis,
        signer,
        folder,
        registries=sources,
        nodes=nodes,
        lost=record is None and (existed or lost),
        now=now,
    )
    try:
        node = service.node
        if record is not None:
            keys = [VerifierKey.parse(one.vkey) for one in genesis.nodes]
            own = open_checkpoint(
                record, genesis.origin, [VerifierKey.parse(genesis.log_key)], keys
            )
            node.learn(Heard(own=own))
        for _ in range(TRIES):
            before = node.mirror.size
            service.catching_up.turn(everybody=True)
            if progress is not None and node.mirror.size != before:
                progress(node.mirror.size)
            cosigned = node.reader.cosigned()
            if cosigned is not None and cosigned.size <= node.mirror.size and not node.asking:
                break
        if cosigned is None or cosigned.time is None:
            raise RegistryUnreachable(reason="no address has a checkpoint that a quorum cosigned")
        return {
            "node": name,
            "mirrored": node.mirror.sizes(),
            "time": encode_time(cosigned.time),
            "asking": needed(genesis) if node.asking else 0,
        }
    finally:
        service.close()


def _take_away(genesis: Genesis, folder: Path, now: datetime) -> bytes | None:
    """Move the store aside; the newest checkpoint that it cosigned, if it can say so."""
    lock = FolderLock(folder)  # StoreLocked: the node runs
    try:
        try:
            note = read_cosigned(folder, genesis.origin).note or None
        except RegistryError:
            note = None
        aside = folder / f"replaced-{now:%Y%m%dT%H%M%SZ}"
        aside.mkdir()
        for file in (MIRROR_FILE, CATALOGUE, SUMMARY):
            for path in folder.glob(f"{file}*"):
                path.rename(aside / path.name)
        return note
    except OSError as error:
        raise StoreFailed(store=folder.name, reason="the old store cannot be moved") from error
    finally:
        lock.release()
