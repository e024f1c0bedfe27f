"""The head of a log beside a record that moves without it, or goes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.engine.head import Head
from registry.errors import HeadMoved, StoreBehind
from registry.storage.sqlite import SqliteStore
from registry.tlog.merkle import leaf_hash, root_of

ORIGIN = "hangzhou.example/identity"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    SqliteStore.create(tmp_path / "log", ORIGIN)
    one = SqliteStore(tmp_path / "log", origin=ORIGIN)
    yield one
    one.close()


def add(head: Head, *entries: bytes) -> None:
    head.append(entries, [leaf_hash(entry) for entry in entries])


def test_the_head_follows_the_record(store: SqliteStore) -> None:
    head = Head(store, lambda: 1)
    add(head, b"a", b"b")
    assert head.size == 2
    assert head.confirmed() == head.current() == store.head()
    assert head.confirmed().root() == root_of([leaf_hash(b"a"), leaf_hash(b"b")])
    assert [(run.start, run.end) for run in head.unwritten.between(0, 2)] == [(0, 2)]


def test_what_another_committed_is_not_confirmed_before_it_is_read_again(
    store: SqliteStore,
) -> None:
    one, other = Head(store, lambda: 1), Head(store, lambda: 1)
    add(one, b"a")
    assert store.head().size == 1
    assert other.size == other.confirmed().size == other.current().size == 0
    with pytest.raises(HeadMoved):
        add(other, b"b")
    assert other.size == 0
    assert other.unwritten.between(0, 1) == []
    other.reload()
    add(other, b"b")
    assert other.confirmed() == store.head()
    assert other.size == 2


@pytest.mark.parametrize("then", [(), (b"another",)], ids=["smaller", "another of this size"])
def test_a_record_that_forgot_is_refused_every_time(
    store: SqliteStore, tmp_path: Path, then: tuple[bytes, ...]
) -> None:
    head = Head(store, lambda: 1)
    add(head, b"a")
    SqliteStore.create(tmp_path / "backup", ORIGIN)
    backup = SqliteStore(tmp_path / "backup", origin=ORIGIN)
    if then:
        add(Head(backup, lambda: 1), *then)
    head._store = backup  # as when a database comes back from it
    for question in (head.reload, head.current):
        with pytest.raises(StoreBehind):
            question()
    assert head.size == 1
    backup.close()
