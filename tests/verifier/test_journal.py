"""The journal: a request is answered once, and a crash or a full disk shows nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from verifier.errors import JournalCorrupt, JournalFull, RequestAnswered
from verifier.journal import Journal, OpenRequest, VerdictRow

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def request(nonce: str = "n1") -> OpenRequest:
    return OpenRequest(
        nonce,
        "token",
        "age-check",
        "ResidentIdentityCredential",
        ("/credentialSubject/name",),
        NOW,
        NOW + timedelta(minutes=5),
        None,
    )


def accept(journal: Journal, nonce: str, commitment: str) -> None:
    journal.record_access(
        VerdictRow(NOW, "accepted", "", "", nonce, "uDigest"),
        commitment=commitment,
        record={"claims": ["/credentialSubject/name"]},
        receipt="receipt",
        promised_by=NOW + timedelta(hours=24),
    )


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.open_request(request())
    assert journal.request("n1") == request()
    assert journal.request("other") is None
    accept(journal, "n1", "uA")
    found = journal.request("n1")
    assert found is not None
    assert found.answered == NOW
    assert [row.commitment for row in journal.waiting(10)] == ["uA"]
    journal.anchored([("uA", 7)], NOW)
    assert journal.waiting(10) == []
    assert [row.chain_index for row in journal.records(10)] == [7]
    assert [row.answer for row in journal.verdicts(10)] == ["accepted"]


def test_a_second_answer_changes_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.open_request(request())
    accept(journal, "n1", "uA")
    with pytest.raises(RequestAnswered):
        accept(journal, "n1", "uB")
    assert [row.commitment for row in journal.records(10)] == ["uA"]
    assert len(journal.verdicts(10)) == 1


_RACER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from verifier.errors import RequestAnswered
from verifier.journal import Journal, VerdictRow

now = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
journal = Journal(Path(sys.argv[1]))
sys.stdin.readline()
try:
    journal.record_access(
        VerdictRow(now, "accepted", "", "", "n1", "uDigest"),
        commitment=sys.argv[2], record={}, receipt="r", promised_by=now + timedelta(hours=24))
except RequestAnswered:
    print("late")
else:
    print("won")
"""


def test_of_two_processes_one_answers(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path).open_request(request())
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(path), f"u{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = sorted(racer.communicate(timeout=60)[0].strip() for racer in racers)
    assert said == ["late", "won"]
    assert len(Journal(path).records(10)) == 1


def test_a_full_disk_records_nothing_and_loses_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.open_request(request())
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(JournalFull):
        for number in range(1000):
            accept_or_fill(journal, number)
    journal._db.execute(f"PRAGMA max_page_count={pages + 1000}")
    kept = journal.records(10_000)
    open_request = journal.request("n1")
    assert open_request is not None
    assert (open_request.answered is not None) == bool(kept)
    if open_request.answered is None:
        accept(journal, "n1", "uLate")
    assert sqlite3.connect(tmp_path / "journal.sqlite").execute(
        "PRAGMA integrity_check"
    ).fetchone() == ("ok",)


def accept_or_fill(journal: Journal, number: int) -> None:
    journal.record_verdict(VerdictRow(NOW, "rejected", "form", "ZL-X" * 50, None, f"u{number}"))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(JournalCorrupt):
        Journal(path)


def test_the_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal(path)
    assert path.stat().st_mode & 0o077 == 0
