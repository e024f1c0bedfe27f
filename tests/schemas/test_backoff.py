"""The wait after wrong passphrases: it grows, it is shared, and nothing buys a free guess."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.backoff import FAILURES_FILE, BackOff

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Wrong(Exception):
    """A wrong passphrase."""


def fail(backoff: BackOff, error: type[BaseException] = Wrong) -> None:
    with pytest.raises(error), backoff.attempt(Wrong):
        raise error


def test_each_wrong_try_costs_more_and_a_right_one_clears_it(tmp_path: Path) -> None:
    slept: list[float] = []
    path = tmp_path / FAILURES_FILE
    backoff = BackOff(path, lambda: NOW, slept.append)
    for _ in range(8):
        fail(backoff)
    assert slept == [1, 2, 4, 8, 16, 32, 60]
    assert path.stat().st_mode & 0o777 == 0o600
    with backoff.attempt(Wrong):
        pass
    assert slept[-1] == 60
    assert not path.exists()


def test_a_try_that_never_ended_counts(tmp_path: Path) -> None:
    """Whoever is killed while trying has used the try: the count precedes it."""
    slept: list[float] = []
    backoff = BackOff(tmp_path / "count", lambda: NOW, slept.append)
    with backoff.attempt(Wrong):
        killed = (tmp_path / "count").read_bytes()
    (tmp_path / "count").write_bytes(killed)
    fail(backoff)
    assert slept == [1]


def test_another_failure_is_no_wrong_passphrase(tmp_path: Path) -> None:
    slept: list[float] = []
    backoff = BackOff(tmp_path / "count", lambda: NOW, slept.append)
    fail(backoff, KeyboardInterrupt)
    fail(backoff, ValueError)
    fail(backoff)
    assert slept == []


def test_many_at_once_try_one_after_another(tmp_path: Path) -> None:
    """Guesses side by side would each see the count of none."""
    trying, most = 0, 0
    guard = threading.Lock()
    slept: list[float] = []

    def guess() -> None:
        nonlocal trying, most
        with (
            pytest.raises(Wrong),
            BackOff(tmp_path / "count", lambda: NOW, slept.append).attempt(Wrong),
        ):
            with guard:
                trying += 1
                most = max(most, trying)
            with guard:
                trying -= 1
            raise Wrong

    threads = [threading.Thread(target=guess) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert sorted(slept) == [1, 2, 4, 8, 16]


def test_a_clock_set_back_costs_no_more_than_the_delay(tmp_path: Path) -> None:
    slept: list[float] = []
    fail(BackOff(tmp_path / "count", lambda: NOW, slept.append))
    fail(BackOff(tmp_path / "count", lambda: NOW - timedelta(days=1), slept.append))
    assert slept == [1]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"failures": 1, "last": 3}', b"\xff" * 9000])
def test_a_damaged_count_means_the_longest_delay(tmp_path: Path, content: bytes) -> None:
    slept: list[float] = []
    (tmp_path / "count").write_bytes(content)
    with BackOff(tmp_path / "count", lambda: NOW, slept.append).attempt(Wrong):
        pass
    assert slept == [60]


def test_where_nothing_can_be_counted_nothing_is_tried(tmp_path: Path) -> None:
    backoff = BackOff(tmp_path / "missing" / "count", lambda: NOW, lambda _: None)
    with pytest.raises(FileNotFoundError), backoff.attempt(Wrong):
        pytest.fail("tried without a count")
