"""Which notes of published checkpoints a store keeps.

Size, root and time of every published checkpoint stay for ever: that there was one root for each
size is what they show. Its note, which may take 17 kB with the signatures of a quorum, stays for
the newest `KEPT_NOTES` and for the last checkpoint of each `PERIOD_S`; of others it is empty.

Not guaranteed: that a note is dropped at once. A store looks with every `EVERY`th checkpoint that
it records, and drops at most `MOST` at a time, so that old stores shrink without a pause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

KEPT_NOTES: Final = 1000
PERIOD_S: Final = 3600
EVERY: Final = 128
MOST: Final = 1024

Execute = Callable[[str, tuple[Any, ...]], Any]
"""Runs a statement and returns its cursor."""


class Thinning:
    """Drops notes from one table, whose engine spells a parameter `mark`.

    `log` is the number of the log in a table of many. Nothing is remembered but how often it was
    asked: a transaction that is rolled back is made up for later.
    """

    def __init__(self, table: str, mark: str, log: int | None = None) -> None:
        only, inner = ("", "") if log is None else (f"log = {log:d} AND", f"n.log = {log:d} AND")
        # Only names and numbers of ours are put together here.
        self._oldest = (
            f"SELECT size FROM {table} WHERE {only} size >= 0 "  # noqa: S608
            f"ORDER BY size DESC LIMIT 1 OFFSET {KEPT_NOTES - 1:d}"
        )
        self._done = (
            f"SELECT size FROM {table} WHERE {only} length(note) = 0 "  # noqa: S608
            "ORDER BY size DESC LIMIT 1"
        )
        self._drop = (
            f"UPDATE {table} SET note = {mark} WHERE {only} size IN ("  # noqa: S608
            f"SELECT size FROM {table} AS c WHERE {only} size > {mark} AND size < {mark} "
            f"AND length(note) > 0 AND time / {PERIOD_S:d} = ("
            f"SELECT n.time / {PERIOD_S:d} FROM {table} AS n WHERE {inner} n.size > c.size "
            f"ORDER BY n.size LIMIT 1) ORDER BY size LIMIT {MOST:d})"
        )
        self._asked = EVERY - 1

    def after_publishing(self, execute: Execute) -> None:
        """Called in the transaction that records a checkpoint."""
        self._asked = (self._asked + 1) % EVERY
        if self._asked:
            return
        oldest = execute(self._oldest, ()).fetchone()
        if oldest is None:
            return
        done = execute(self._done, ()).fetchone()
        execute(self._drop, (b"", -1 if done is None else done[0], oldest[0]))
