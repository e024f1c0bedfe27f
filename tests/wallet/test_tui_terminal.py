"""`zl wallet` in a real terminal, on a real vault."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_S
from tests.wallet.conftest import PASSPHRASE, Town

TMUX = shutil.which("tmux")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


class Terminal:
    """One window of a tmux server of its own."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        words = [f"{name}={value}" for name, value in environ.items()]
        command = shlex.join(["env", *words, sys.executable, "-m", "zhenglian", "wallet"])
        self.tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
            "-c",
            str(ROOT),
            command,
        )

    def tmux(self, *words: str) -> str:
        assert TMUX is not None
        done = subprocess.run(
            # By a name in its folder: the path of a socket must not be longer than 107 bytes.
            [TMUX, "-S", "tmux", "-u", *words],
            cwd=self._folder,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        return done.stdout

    def until(self, text: str, seconds: float = PATIENCE_S) -> str:
        end = time.monotonic() + seconds
        screen = ""
        while time.monotonic() < end:
            screen = self.tmux("capture-pane", "-p")
            if text in screen:
                return screen
            time.sleep(0.05)
        raise AssertionError(f"{text!r} did not appear on:\n{screen}")

    def gone(self, seconds: float = PATIENCE_S) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.tmux("list-sessions"):
                return True
            time.sleep(0.05)
        return False


@pytest.fixture
def environ(town: Town) -> dict[str, str]:
    wallet = town.wallet()
    town.credential(wallet)
    wallet.close()
    return {
        "ZL_HOME": str(town.home),
        "ZL_LANG": "en",
        "PATH": os.environ["PATH"],
        "TERM": "screen-256color",
        "COLORTERM": "truecolor",
    }


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    started: list[Terminal] = []
    yield started
    for terminal in started:
        terminal.tmux("kill-server")


def test_the_list_comes_first_with_a_passphrase_file(
    town: Town, environ: dict[str, str], terminals: list[Terminal], tmp_path: Path
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    terminal = Terminal(tmp_path, environ | {"ZL_PASSPHRASE_FILE": str(secret)})
    terminals.append(terminal)
    screen = terminal.until("Resident identity credential")
    assert "Hangzhou Data Resources Administration" in screen
    assert "Answer a request" in screen
    terminal.tmux("send-keys", "F2")
    terminal.until("居民身份凭证")
    terminal.tmux("send-keys", "3")
    terminal.until("收到凭证")
    terminal.tmux("send-keys", "C-q")
    assert terminal.gone()


def test_the_passphrase_is_asked_for_and_not_shown(
    town: Town, environ: dict[str, str], terminals: list[Terminal], tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, environ)
    terminals.append(terminal)
    terminal.until("Your wallet is locked.")
    terminal.tmux("send-keys", "-l", PASSPHRASE)
    screen = terminal.until("•" * len(PASSPHRASE))
    assert PASSPHRASE not in screen
    terminal.tmux("send-keys", "Enter")
    terminal.until("Resident identity credential")
    terminal.tmux("send-keys", "C-q")
    assert terminal.gone()
