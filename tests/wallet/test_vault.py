"""The vault: wrong passphrases, second openers, full disks, damage, crashes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from credentials.keyfile import COST_FLOOR
from schemas.errors import ExitCode
from wallet.errors import (
    BackOff,
    BackupCorrupt,
    NoVault,
    VaultCorrupt,
    VaultExists,
    VaultFull,
    VaultLocked,
    VaultTooNew,
    VaultUnwritable,
    WeakPassphrase,
    WrongPassphrase,
)
from wallet.vault import Vault, restore_backup, write_backup
from wallet.vault.database import ATTEMPTS, DATA, HEADER
from wallet.vault.guard import LONGEST_WAIT_S, require_strength, wait_after, write_atomically

GOOD = "correct horse battery"
OTHER = "staple lamp mountain"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "wallet"


@pytest.fixture
def vault(home: Path, clock: Clock) -> Iterator[Vault]:
    vault = Vault.create(home, GOOD, clock, cost=COST_FLOOR)
    yield vault
    vault.close()


def put(vault: Vault, name: str, value: bytes) -> None:
    vault.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))


def get(vault: Vault, name: str) -> bytes | None:
    row = vault.one("SELECT value FROM settings WHERE name = ?", (name,))
    return row[0] if row else None


def failures(home: Path) -> int:
    return int(json.loads((home / ATTEMPTS).read_bytes())["failures"])


def fail_once(home: Path, clock: Clock) -> None:
    with pytest.raises(WrongPassphrase):
        Vault.open(home, OTHER, clock)


def test_what_was_stored_is_there_after_reopening(vault: Vault, home: Path, clock: Clock) -> None:
    put(vault, "a", b"1")
    vault.close()
    again = Vault.open(home, GOOD, clock)
    assert get(again, "a") == b"1"
    again.close()


def test_nothing_on_disk_is_plain(vault: Vault, home: Path) -> None:
    put(vault, "a", b"A name that must not be readable" * 10)
    vault.close()
    for path in home.iterdir():
        data = path.read_bytes()
        assert b"must not be readable" not in data
        assert b"SQLite format 3" not in data


def test_the_journal_is_not_plain_either(vault: Vault, home: Path) -> None:
    put(vault, "a", b"A name that must not be readable" * 10)
    with vault.transaction():
        put(vault, "a", b"Another name" * 100)
        journal = home / f"{DATA}-journal"
        assert journal.exists()
        assert b"must not be readable" not in journal.read_bytes()


def test_files_are_for_their_owner_alone(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    fail_once(home, clock)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


@pytest.mark.parametrize("passphrase", ["", "short", "aaaaaaaaaaaaaaaa", "123123123123"])
def test_a_weak_passphrase_is_refused(passphrase: str, home: Path, clock: Clock) -> None:
    with pytest.raises(WeakPassphrase):
        Vault.create(home, passphrase, clock)
    assert not Vault.exists(home)


def test_a_chinese_passphrase_is_fine() -> None:
    require_strength("春眠不觉晓处处闻啼鸟")


def test_an_existing_vault_is_never_overwritten(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    with pytest.raises(VaultExists):
        Vault.create(home, OTHER, clock)
    Vault.open(home, GOOD, clock).close()


def test_no_vault(home: Path, clock: Clock) -> None:
    with pytest.raises(NoVault):
        Vault.open(home, GOOD, clock)


def test_an_interrupted_creation_can_be_repeated_and_loses_nothing(
    vault: Vault, home: Path, clock: Clock
) -> None:
    vault.close()
    (home / HEADER).unlink()  # as if the process had died before the header was written
    Vault.create(home, OTHER, clock, cost=COST_FLOOR).close()
    assert len(list(home.glob(f"{DATA}.orphan-*"))) == 1


def test_a_journal_left_behind_does_not_spoil_the_next_vault(
    vault: Vault, home: Path, tmp_path: Path, clock: Clock
) -> None:
    """SQLite would play it back into whatever file has the name."""
    put(vault, "a", b"before")
    write_backup(vault, tmp_path / "b")
    vault.close()
    crash(home, clock)
    assert (home / f"{DATA}-journal").exists()
    (home / HEADER).unlink()
    restore_backup(tmp_path / "b", home, GOOD)
    assert not (home / f"{DATA}-journal").exists()
    again = Vault.open(home, GOOD, clock)
    assert get(again, "a") == b"before"
    again.close()


# Wrong passphrase and back-off


def test_a_wrong_passphrase_then_a_wait_then_the_right_one(
    vault: Vault, home: Path, clock: Clock
) -> None:
    vault.close()
    fail_once(home, clock)
    with pytest.raises(BackOff) as refused:
        Vault.open(home, GOOD, clock)
    assert refused.value.params["seconds"] == 1
    assert refused.value.exit_code is ExitCode.ENVIRONMENT
    clock.wait(1)
    Vault.open(home, GOOD, clock).close()
    assert failures(home) == 0


def test_the_wait_grows_and_is_announced(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    announced = []
    for _ in range(5):
        with pytest.raises(WrongPassphrase) as wrong:
            Vault.open(home, OTHER, clock)
        announced.append(wrong.value.params["seconds"])
        clock.wait(announced[-1])
    assert announced == [1, 1, 2, 4, 8]
    waits = [wait_after(n).total_seconds() for n in (0, 12, 1000)]
    assert waits == [0, LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_the_count_survives_the_process(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    for _ in range(4):
        fail_once(home, clock)
        clock.wait(60)
    fail_once(home, clock)
    other_process = subprocess.run(
        [sys.executable, "-c", _OPEN, str(home), GOOD, clock.now.isoformat()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert other_process.stdout.split() == ["BackOff", "8"]


def test_a_try_counts_before_it_is_made(
    vault: Vault, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killing the program in the middle of a try must not give the try back."""
    vault.close()

    def killed(*_: object, **__: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("wallet.vault.database.keyfile.unseal", killed)
    with pytest.raises(KeyboardInterrupt):
        Vault.open(home, GOOD, clock)
    assert failures(home) == 1


def test_a_damaged_counter_means_the_longest_wait_once(
    vault: Vault, home: Path, clock: Clock
) -> None:
    vault.close()
    (home / ATTEMPTS).write_bytes(b"{}")
    with pytest.raises(BackOff) as refused:
        Vault.open(home, GOOD, clock)
    assert refused.value.params["seconds"] == LONGEST_WAIT_S
    clock.wait(LONGEST_WAIT_S)
    Vault.open(home, GOOD, clock).close()


def test_setting_the_clock_back_does_not_lock_the_owner_out(
    vault: Vault, home: Path, clock: Clock
) -> None:
    vault.close()
    fail_once(home, clock)
    clock.wait(-86_400)
    with pytest.raises(BackOff) as refused:
        Vault.open(home, GOOD, clock)
    assert refused.value.params["seconds"] <= 1
    clock.wait(1)
    Vault.open(home, GOOD, clock).close()


def test_confirming_counts_too(vault: Vault, clock: Clock) -> None:
    with pytest.raises(WrongPassphrase):
        vault.confirm(OTHER)
    with pytest.raises(BackOff):
        vault.confirm(GOOD)
    clock.wait(1)
    vault.confirm(GOOD)


def test_an_empty_passphrase_is_a_wrong_one(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    with pytest.raises(WrongPassphrase):
        Vault.open(home, "", clock)


# A second opener


def test_a_second_opener_in_this_process(vault: Vault, home: Path, clock: Clock) -> None:
    with pytest.raises(VaultLocked) as locked:
        Vault.open(home, GOOD, clock)
    assert locked.value.exit_code is ExitCode.ENVIRONMENT


def test_a_second_process(vault: Vault, home: Path, clock: Clock) -> None:
    def other() -> list[str]:
        return subprocess.run(
            [sys.executable, "-c", _OPEN, str(home), GOOD, clock.now.isoformat()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stdout.split()

    assert other() == ["VaultLocked"]
    vault.close()
    assert other() == ["opened"]


_OPEN = """
import sys
from datetime import datetime
from pathlib import Path
from schemas.errors import ZhenglianError
from wallet.vault import Vault
home, passphrase, now = sys.argv[1:]
try:
    Vault.open(Path(home), passphrase, lambda: datetime.fromisoformat(now)).close()
except ZhenglianError as error:
    print(type(error).__name__, error.params.get("seconds", ""))
else:
    print("opened")
"""


# A full disk


def test_a_full_disk_undoes_the_step_and_keeps_the_rest(
    vault: Vault, home: Path, clock: Clock
) -> None:
    put(vault, "kept", b"before")
    pages = vault.one("PRAGMA page_count")
    assert pages is not None
    vault.execute(f"PRAGMA max_page_count = {pages[0]}")
    with pytest.raises(VaultFull) as full, vault.transaction():
        put(vault, "first", b"small")
        put(vault, "second", os.urandom(200_000))
    assert full.value.exit_code is ExitCode.ENVIRONMENT
    assert get(vault, "first") is None
    assert get(vault, "kept") == b"before"
    vault.execute("PRAGMA max_page_count = 1000000")  # room again: the same vault goes on
    put(vault, "second", b"now")
    vault.close()
    again = Vault.open(home, GOOD, clock)
    assert (get(again, "kept"), get(again, "second")) == (b"before", b"now")
    again.close()


def test_a_full_device_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "header"
    write_atomically(path, b"old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultFull):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_does_not_keep_the_owner_out(
    vault: Vault, home: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening and reading ask for no room."""
    put(vault, "a", b"1")
    vault.close()
    genuine = os.open

    def no_new_file(path: object, flags: int, *rest: int, **names: int) -> int:
        if flags & os.O_CREAT and not Path(str(path)).exists():
            raise OSError(28, "No space left on device")
        return genuine(str(path), flags, *rest, **names)

    monkeypatch.setattr(os, "open", no_new_file)
    again = Vault.open(home, GOOD, clock)
    assert get(again, "a") == b"1"
    again.close()


def test_an_error_inside_a_transaction_undoes_it(vault: Vault) -> None:
    with pytest.raises(ZeroDivisionError), vault.transaction():
        put(vault, "a", b"1")
        raise ZeroDivisionError
    assert get(vault, "a") is None


def test_a_crash_inside_a_transaction_undoes_it(vault: Vault, home: Path, clock: Clock) -> None:
    put(vault, "a", b"before")
    vault.close()
    crash(home, clock)
    assert (home / f"{DATA}-journal").stat().st_size > 0
    again = Vault.open(home, GOOD, clock)
    assert get(again, "a") == b"before"
    again.close()


def crash(home: Path, clock: Clock) -> None:
    """A process that dies in the middle of a transaction."""
    subprocess.run(
        [sys.executable, "-c", _CRASH, str(home), GOOD, clock.now.isoformat()],
        timeout=60,
        check=False,
    )


_CRASH = """
import os, sys
from datetime import datetime
from pathlib import Path
from wallet.vault import Vault
home, passphrase, now = sys.argv[1:]
vault = Vault.open(Path(home), passphrase, lambda: datetime.fromisoformat(now))
vault.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
with vault.transaction():
    vault.execute("UPDATE settings SET value = ?", (os.urandom(500_000),))
    os._exit(9)
"""


# Damage


def test_a_flipped_bit_in_the_data_is_noticed(vault: Vault, home: Path, clock: Clock) -> None:
    put(vault, "a", os.urandom(50_000))
    vault.close()
    data = bytearray((home / DATA).read_bytes())
    data[len(data) // 2] ^= 1
    (home / DATA).write_bytes(data)
    damaged = Vault.open(home, GOOD, clock)
    with pytest.raises(VaultCorrupt):
        get(damaged, "a")
    damaged.close()


def test_data_of_another_vault_is_noticed(
    vault: Vault, home: Path, tmp_path: Path, clock: Clock
) -> None:
    vault.close()
    Vault.create(tmp_path / "other", OTHER, clock).close()
    (home / DATA).write_bytes((tmp_path / "other" / DATA).read_bytes())
    with pytest.raises(VaultCorrupt):
        Vault.open(home, GOOD, clock)


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", b"\xff" * 100])
def test_a_damaged_header_is_not_called_a_wrong_passphrase(
    damage: bytes, vault: Vault, home: Path, clock: Clock
) -> None:
    vault.close()
    (home / HEADER).write_bytes(damage)
    with pytest.raises(VaultCorrupt):
        Vault.open(home, GOOD, clock)
    assert failures(home) == 0


def test_missing_data(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    (home / DATA).unlink()
    with pytest.raises(VaultCorrupt):
        Vault.open(home, GOOD, clock)


def test_a_newer_version_is_left_alone(vault: Vault, home: Path, clock: Clock) -> None:
    vault.execute("PRAGMA user_version = 99")
    vault.close()
    with pytest.raises(VaultTooNew):
        Vault.open(home, GOOD, clock)


def test_a_closed_vault_answers_nothing(vault: Vault) -> None:
    vault.close()
    with pytest.raises(VaultUnwritable):
        get(vault, "a")


# Change of passphrase, backup


def test_changing_the_passphrase(vault: Vault, home: Path, clock: Clock) -> None:
    put(vault, "a", b"1")
    before = (home / DATA).read_bytes()
    with pytest.raises(WeakPassphrase):
        vault.change_passphrase(GOOD, "short")
    vault.change_passphrase(GOOD, OTHER)
    assert (home / DATA).read_bytes() == before
    vault.close()
    with pytest.raises(WrongPassphrase):
        Vault.open(home, GOOD, clock)
    clock.wait(1)
    again = Vault.open(home, OTHER, clock)
    assert get(again, "a") == b"1"
    again.close()


def test_changing_needs_the_old_passphrase(vault: Vault, home: Path, clock: Clock) -> None:
    with pytest.raises(WrongPassphrase):
        vault.change_passphrase(OTHER, "something entirely new")
    vault.close()
    clock.wait(1)
    Vault.open(home, GOOD, clock).close()


def test_backup_and_restore(vault: Vault, tmp_path: Path, clock: Clock) -> None:
    put(vault, "a", b"A name that must not be readable")
    backup = tmp_path / "wallet.backup"
    write_backup(vault, backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert b"must not be readable" not in backup.read_bytes()
    restore_backup(backup, tmp_path / "new", GOOD)
    restored = Vault.open(tmp_path / "new", GOOD, clock)
    assert get(restored, "a") == b"A name that must not be readable"
    restored.close()


def test_restoring_over_a_vault_is_refused(
    vault: Vault, home: Path, tmp_path: Path, clock: Clock
) -> None:
    write_backup(vault, tmp_path / "b")
    vault.close()
    with pytest.raises(VaultExists):
        restore_backup(tmp_path / "b", home, GOOD)


def test_restoring_with_a_wrong_passphrase_writes_nothing(vault: Vault, tmp_path: Path) -> None:
    write_backup(vault, tmp_path / "b")
    with pytest.raises(WrongPassphrase):
        restore_backup(tmp_path / "b", tmp_path / "new", OTHER)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("cut", [0, 10, 100, -1])
def test_an_incomplete_backup_is_refused(cut: int, vault: Vault, tmp_path: Path) -> None:
    write_backup(vault, tmp_path / "b")
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:cut])
    with pytest.raises(BackupCorrupt):
        restore_backup(tmp_path / "b", tmp_path / "new", GOOD)


def test_nothing_secret_in_errors(vault: Vault, home: Path, clock: Clock) -> None:
    vault.close()
    with pytest.raises(WrongPassphrase) as wrong:
        Vault.open(home, OTHER, clock)
    assert OTHER not in repr(wrong.value) + str(wrong.value.diagnostics())
