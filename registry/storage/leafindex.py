"""Which leaf hash stands where, exactly, in runs beside the commits.

Guarantees that a leaf that is in the log is found, and that what is found is its own position: a
whole hash is compared each time. The index is made from the commits, in their transactions, so it
can neither lose nor invent anything by a crash.

A table keyed by hashes costs a random page for every leaf. Here the newest leaves are kept in
memory (their commits are the durable form; whoever opens the store hashes them again), and go to
disk many at once, as a *run*: pages of rows, found by the first bits of the hash. Runs
of similar size become one, a page at a time, along with later commits, so no commit waits for long.
A filter in the writer's memory says of nearly every new leaf that it is new; its doubts are
settled by looking. It has at most 32 MiB, is made again when the log is opened for writing, at
0.1 s for a million leaves, and beyond some 5 * 10^7 of them saves less and less.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from registry.limits import HASH_BYTES

SCHEMA: Final = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    state INTEGER NOT NULL
) STRICT;
CREATE TABLE run_pages (id INTEGER PRIMARY KEY, rows BLOB NOT NULL) STRICT;
CREATE TABLE indexed (id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL) STRICT;
INSERT INTO indexed VALUES (1, 0);
"""
_MAKING, _WHOLE, _DEAD = 0, 1, 2  # the state of a run

_POSITION_BYTES: Final = 5  # as in a compact proof
_ROW: Final = HASH_BYTES + _POSITION_BYTES
_PAGE_ROWS: Final = 128  # to twice as many: a page has 5 to 9 KiB
_PAGE_BITS: Final = 32  # of a page's id are the first bits of its hashes; the others name the run

_RUN_LEAVES: Final = 32 * 1024  # a commit waits some 20 ms while they are written
_FAN: Final = 16  # runs of one class become one of the next

_FILTER_BYTES: Final = (1 << 18, 1 << 22, 1 << 25)
_FILTER_LOAD: Final = 64  # bits a leaf, where the next size is taken
_FILTER_AT: Final = (0, 16)  # each leaf leaves its bits at two places

_MASKS: Final = [sum(1 << bit for bit in bits) for bits in combinations(range(8), 3)]
_MASK: Final = np.array([_MASKS[byte % len(_MASKS)] for byte in range(256)], np.uint8)

Row = tuple[bytes, int]
Table = NDArray[np.uint8]  # a row (or a leaf hash) a line, its bytes as columns


@dataclass(frozen=True)
class _Run:
    id: int
    start: int
    count: int
    bits: int

    @property
    def size_class(self) -> int:
        size, count = 0, self.count // _RUN_LEAVES
        while count >= _FAN // 2:
            size, count = size + 1, count // _FAN
        return size

    def page(self, prefix: int) -> int:
        return (self.id << _PAGE_BITS) | prefix


def _prefix(leaf: bytes, bits: int) -> int:
    return int.from_bytes(leaf[:4], "big") >> (32 - bits)


def _bits_for(count: int) -> int:
    return min(max((count // _PAGE_ROWS).bit_length() - 1, 0), 31)


def _table(joined: bytes | bytearray, width: int) -> Table:
    return np.frombuffer(joined, np.uint8).reshape(-1, width)


def _position_in(page: bytes, leaf: bytes) -> int | None:
    at = page.find(leaf)
    while at >= 0:
        if at % _ROW == 0:
            return int.from_bytes(page[at + HASH_BYTES : at + _ROW], "big")
        at = page.find(leaf, at + 1)  # the same bytes across two rows
    return None


def _rows(leaves: Table, start: int) -> Table:
    """Leaf hashes, each with its position behind it: from `start` on."""
    rows = np.empty((len(leaves), _ROW), np.uint8)
    rows[:, :HASH_BYTES] = leaves
    positions = np.arange(start, start + len(leaves), dtype=">u8").view(np.uint8).reshape(-1, 8)
    rows[:, HASH_BYTES:] = positions[:, -_POSITION_BYTES:]
    return rows


def _pages(rows: Table, bits: int) -> Iterator[tuple[int, memoryview]]:
    """Rows as (prefix, page), by the first `bits` of their hashes.

    In a page, rows stand in no order: it is searched as bytes.
    """
    if not len(rows):
        return
    prefixes = rows[:, :4].copy().view(">u4").ravel().astype(np.uint64) >> np.uint64(32 - bits)
    order = np.argsort(prefixes, kind="stable")
    found, firsts = np.unique(prefixes[order], return_index=True)
    joined = memoryview(rows[order].tobytes())
    ends = [*(firsts[1:] * _ROW).tolist(), len(joined)]
    for prefix, first, end in zip(found.tolist(), (firsts * _ROW).tolist(), ends, strict=True):
        yield prefix, joined[first:end]


class Recent:
    """The leaves that are in no run yet, from position `start` on. Thread-safe."""

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self._leaves = bytearray()
        self._lock = threading.Lock()

    @property
    def end(self) -> int:
        return self.start + len(self._leaves) // HASH_BYTES

    def joined(self) -> bytes:
        """The hashes, one behind the other."""
        with self._lock:
            return bytes(self._leaves)

    def add(self, leaves: Sequence[bytes]) -> None:
        with self._lock:
            self._leaves += b"".join(leaves)

    def replace(self, start: int, leaves: Sequence[bytes]) -> None:
        with self._lock:
            self.start, self._leaves = start, bytearray(b"".join(leaves))

    def find(self, leaves: Sequence[bytes]) -> dict[bytes, int]:
        with self._lock:
            start, table = self.start, _table(bytes(self._leaves), HASH_BYTES)
        # No index of them: most are never asked for, and looking at all takes a millisecond.
        alike = np.isin(_words(table), _words(_table(b"".join(leaves), HASH_BYTES)))
        wanted = set(leaves)
        found = {}
        for at in np.flatnonzero(alike).tolist():
            leaf = table[at].tobytes()
            if leaf in wanted:
                found[leaf] = start + at
        return found


def _words(leaves: Table) -> NDArray[np.uint64]:
    """Eight bytes of each leaf: unequal ones tell leaves apart, equal ones call for a look."""
    return leaves[:, 8:16].copy().view(np.uint64).ravel()


class _Filter:
    """Which leaves may be there: no leaf of the log is denied."""

    def __init__(self, size: int) -> None:
        self._table = np.zeros(size, np.uint8)
        self._shift = 32 - (size.bit_length() - 1)

    @property
    def bits(self) -> int:
        return 8 * len(self._table)

    def add(self, leaves: Table) -> list[int]:
        """Enter leaves; which of them, by number, may have been there before (not: among them)."""
        doubtful = np.ones(len(leaves), bool)
        for first in _FILTER_AT:  # four bytes of a leaf say which byte, a fifth which bits of it
            at = leaves[:, first : first + 4].copy().view(np.uint32).ravel() >> self._shift
            mask = _MASK[leaves[:, first + 4]]
            doubtful &= (self._table[at] & mask) == mask
            np.bitwise_or.at(self._table, at, mask)
        return list(np.flatnonzero(doubtful).tolist())


def find_in_runs(read: sqlite3.Connection, leaves: Sequence[bytes]) -> dict[bytes, int]:
    """The positions of those leaves that a run has, as `read` sees them in one transaction."""
    found = {}
    runs = _load(read, _WHOLE)
    for leaf in leaves:
        for run in runs:
            row = read.execute(
                "SELECT rows FROM run_pages WHERE id = ?", (run.page(_prefix(leaf, run.bits)),)
            ).fetchone()
            position = _position_in(row[0], leaf) if row is not None else None
            if position is not None:
                found[leaf] = position
                break
    return found


def indexed(read: sqlite3.Connection) -> int:
    """How many leaves from the first one on are in runs."""
    return int(read.execute("SELECT size FROM indexed").fetchone()[0])


def _load(read: sqlite3.Connection, state: int) -> list[_Run]:
    # The largest first: most of what is looked for is there.
    return [
        _Run(*row)
        for row in read.execute(
            "SELECT id, start, count, bits FROM runs WHERE state = ? ORDER BY count DESC", (state,)
        )
    ]


def _pages_of(read: sqlite3.Connection, run: int) -> Iterator[bytes]:
    for (page,) in read.execute(
        "SELECT rows FROM run_pages WHERE id >= ? AND id < ? ORDER BY id",
        (run << _PAGE_BITS, (run + 1) << _PAGE_BITS),
    ):
        yield page


def all_rows(read: sqlite3.Connection) -> Iterator[list[Row]]:
    """All runs, a page at a time, as (leaf hash, position)."""
    for run in _load(read, _WHOLE):
        for page in _pages_of(read, run.id):
            yield [
                (page[i : i + HASH_BYTES], int.from_bytes(page[i + HASH_BYTES : i + _ROW], "big"))
                for i in range(0, len(page), _ROW)
            ]


class LeafIndex:
    """The writer's side. Each method is called inside the transaction of a commit.

    `tail(connection, start)` gives the leaves of the record from `start` on. After a transaction
    that failed, call `reset`.
    """

    def __init__(
        self, recent: Recent, tail: Callable[[sqlite3.Connection, int], list[bytes]]
    ) -> None:
        self.recent = recent
        self._tail = tail
        self._filter: _Filter | None = None
        self._loaded = False
        self._runs: list[_Run] = []
        self._merge: Iterator[int] | None = None
        self._flushed: int | None = None

    def reset(self) -> None:
        """Forget what may not have been committed; the filter only doubts more than it must."""
        self._loaded = False
        self._merge = None
        self._flushed = None

    def any_known(self, write: sqlite3.Connection, leaves: Sequence[bytes], first: int) -> bool:
        """Whether one of the leaves is in the log, or twice among them."""
        if not self._loaded or self.recent.end != first:
            self._load(write)
        known = self._grown_filter(write, first + len(leaves))
        table = _table(b"".join(leaves), HASH_BYTES)
        words = np.sort(_words(table))
        if (words[1:] == words[:-1]).any() and len(set(leaves)) != len(leaves):
            return True
        doubted = [leaves[at] for at in known.add(table)]
        return bool(doubted and (self.recent.find(doubted) or find_in_runs(write, doubted)))

    def take(self, write: sqlite3.Connection, leaves: Sequence[bytes], first: int) -> None:
        """Enter the leaves of a commit; some of the work that waits is done on the way."""
        if first + len(leaves) - self.recent.start >= _RUN_LEAVES:
            joined = self.recent.joined() + b"".join(leaves)
            self._write_run(write, _table(joined, HASH_BYTES), self.recent.start)
            self._flushed = first + len(leaves)
        self._work(write, 2 * len(leaves))

    def committed(self, leaves: Sequence[bytes]) -> None:
        """The transaction is durable."""
        if self._flushed is None:
            self.recent.add(leaves)
        else:
            self.recent.replace(self._flushed, [])
            self._flushed = None

    # --- runs ---

    def _load(self, write: sqlite3.Connection) -> None:
        for run in _load(write, _MAKING):  # of a merge that was broken off
            write.execute("UPDATE runs SET state = ? WHERE id = ?", (_DEAD, run.id))
        self._runs = _load(write, _WHOLE)
        start = indexed(write)
        self.recent.replace(start, self._tail(write, start))
        self._merge = None
        self._flushed = None
        self._loaded = True

    def _grown_filter(self, write: sqlite3.Connection, count: int) -> _Filter:
        wanted = next(
            (n for n in _FILTER_BYTES if 8 * n >= _FILTER_LOAD * count), _FILTER_BYTES[-1]
        )
        known = self._filter
        if known is None or known.bits < 8 * wanted:
            self._filter = None  # its memory is free before the next one takes its own
            known = _Filter(wanted)
            for run in self._runs:
                for page in _pages_of(write, run.id):
                    known.add(_table(page, _ROW))
            known.add(_table(self.recent.joined(), HASH_BYTES))
            self._filter = known
        return known

    def _next_id(self, write: sqlite3.Connection) -> int:
        return int(write.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM runs").fetchone()[0])

    def _write_run(self, write: sqlite3.Connection, leaves: Table, start: int) -> None:
        count = len(leaves)
        run = _Run(self._next_id(write), start, count, _bits_for(count))
        self._enter(write, run, _WHOLE)
        self._put(write, run, _rows(leaves, start))
        write.execute("UPDATE indexed SET size = ?", (start + count,))
        self._runs.append(run)

    @staticmethod
    def _enter(write: sqlite3.Connection, run: _Run, state: int) -> None:
        write.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
            (run.id, run.start, run.count, run.bits, state),
        )

    @staticmethod
    def _put(write: sqlite3.Connection, run: _Run, rows: Table) -> None:
        write.executemany(
            "INSERT INTO run_pages VALUES (?, ?)",
            ((run.page(prefix), page) for prefix, page in _pages(rows, run.bits)),
        )

    # --- work that waits ---

    def _work(self, write: sqlite3.Connection, rows: int) -> None:
        """Go on with merging and removing, by about this many rows and at least a step."""
        while True:
            if self._merge is None:
                self._merge = self._next_work(write)
                if self._merge is None:
                    return
            try:
                rows -= next(self._merge)
            except StopIteration:
                self._merge = None
            if rows <= 0:
                return

    def _next_work(self, write: sqlite3.Connection) -> Iterator[int] | None:
        dead = _load(write, _DEAD)
        if dead:
            return self._remove(write, dead[-1])
        classes: dict[int, list[_Run]] = {}
        for run in self._runs:
            classes.setdefault(run.size_class, []).append(run)
        for _, runs in sorted(classes.items()):
            if len(runs) >= _FAN:
                return self._merged(write, runs)
        return None

    def _remove(self, write: sqlite3.Connection, run: _Run) -> Iterator[int]:
        low, high = run.id << _PAGE_BITS, (run.id + 1) << _PAGE_BITS
        while True:
            removed = write.execute(
                "DELETE FROM run_pages WHERE id IN "
                "(SELECT id FROM run_pages WHERE id >= ? AND id < ? LIMIT 16)",
                (low, high),
            ).rowcount
            if removed <= 0:
                write.execute("DELETE FROM runs WHERE id = ?", (run.id,))
                return
            yield removed * _PAGE_ROWS

    def _merged(self, write: sqlite3.Connection, runs: list[_Run]) -> Iterator[int]:
        """Make one run of several, by the widest range of hashes that one page of them covers."""
        count = sum(run.count for run in runs)
        whole = _Run(self._next_id(write), min(r.start for r in runs), count, _bits_for(count))
        self._enter(write, whole, _MAKING)
        coarse = min(*(run.bits for run in runs), whole.bits)
        yield 1
        for prefix in range(1 << coarse):
            pages: list[bytes] = []
            for run in runs:
                finer = run.bits - coarse
                low, high = run.page(prefix << finer), run.page((prefix + 1) << finer)
                pages += (
                    page
                    for (page,) in write.execute(
                        "SELECT rows FROM run_pages WHERE id >= ? AND id < ?", (low, high)
                    )
                )
            rows = _table(b"".join(pages), _ROW)
            self._put(write, whole, rows)
            yield max(len(rows), 1)
        write.execute("UPDATE runs SET state = ? WHERE id = ?", (_WHOLE, whole.id))
        write.executemany(
            "UPDATE runs SET state = ? WHERE id = ?", [(_DEAD, run.id) for run in runs]
        )
        merged = set(runs)
        self._runs = [run for run in self._runs if run not in merged] + [whole]
