"""The journey: the demonstration, the wallet's first screen, one scan, the size of the code.

All of it on what the demonstration leaves: real homes of wallet and desk, a real trust bundle.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from base45 import b45decode

from schemas.scenario import load_scenario
from verifier.desk import Desk
from verifier.pipeline import Answer
from verifier.settings import load_key, load_settings
from wallet.service import Wallet

FOLDER = Path("build/bench-journey").resolve()
RUNS = 5
SCANS = 30
SCREEN_S = 20.0


def _demonstration() -> float:
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "zhenglian", "demo", "--out", str(FOLDER), "--json"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def demo_s() -> list[float]:
    """Wall seconds of `zl demo`, environment built."""
    return [_demonstration() for _ in range(RUNS)]


@lru_cache
def _stage() -> Path:
    if not (FOLDER / "summary.json").is_file():
        _demonstration()
    return FOLDER


def _passphrase() -> str:
    return (_stage() / "passphrase.txt").read_text(encoding="utf-8").strip()


def _first_screen() -> float:
    """Seconds from the start of `zl wallet` in a terminal to the first credential on it."""
    title = load_scenario("resident-identity").title["en"].encode()
    environment = {
        **os.environ,
        "ZL_HOME": str(_stage() / "home"),
        "ZL_PASSPHRASE_FILE": str(_stage() / "passphrase.txt"),
        "ZL_LANG": "en",
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "LINES": "30",
    }
    begun = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "zhenglian", "wallet"], environment)
    try:
        seen = b""
        while time.perf_counter() - begun < SCREEN_S:
            ready, _, _ = select.select([terminal], [], [], 0.5)
            if ready:
                seen += os.read(terminal, 65536)
                if title in seen:
                    return time.perf_counter() - begun
        raise RuntimeError("the wallet did not show its credentials")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def _key_derivation() -> float:
    """Seconds that the passphrase alone costs, on purpose: opening the vault in a warm process."""
    begun = time.perf_counter()
    with Wallet.open(_stage() / "home" / "wallet", _passphrase()):
        return time.perf_counter() - begun


def wallet_first_screen() -> list[float]:
    """First screen less the key derivation (its median in this process)."""
    _key_derivation()
    derivation = statistics.median(_key_derivation() for _ in range(RUNS))
    return [_first_screen() - derivation for _ in range(RUNS)]


@lru_cache
def _answers() -> tuple[Path, list[str]]:
    """The home of a copied desk with `SCANS` open requests, and a copied wallet's answers."""
    stage = _stage()
    copies = stage / "bench"
    shutil.rmtree(copies, ignore_errors=True)
    for role in ("verifier", "wallet"):
        shutil.copytree(stage / "home" / role, copies / role)
    home = copies / "verifier"
    texts = []
    with (
        _desk(home) as desk,
        Wallet.open(copies / "wallet", _passphrase()) as wallet,
    ):
        (entitlement,) = desk.entitlements()
        for _ in range(SCANS):
            view = wallet.inspect_request(desk.request(entitlement.id).token)
            held = next(c for c in view.candidates if c.state.value == "valid")
            texts.append(wallet.answer(view, held.credential_id).qr_text)
    return home, texts


def _desk(home: Path) -> Desk:
    return Desk(home, load_settings(home), load_key(home, _passphrase()))


def scan_verify_ms() -> list[float]:
    """One presentation, from the code's text to the recorded verdict; the desk stays open."""
    home, texts = _answers()
    runs = []
    with _desk(home) as desk:
        for number, text in enumerate(texts):
            begun = time.perf_counter()
            verdict = desk.verify(text)
            taken = (time.perf_counter() - begun) * 1000
            if verdict.answer is not Answer.ACCEPTED:
                raise RuntimeError(f"not accepted: {verdict.decided_by}")
            if number:  # the first one reads and checks the trust bundle
                runs.append(taken)
    return runs


def presentation_bytes() -> list[float]:
    """Bytes in the code, before base45: document, holder's proof and compact anchor proof."""
    _home, texts = _answers()
    return [float(len(b45decode(text[len("VP1-R") :]))) for text in texts]


MEASUREMENTS: dict[str, Callable[[], list[float]]] = {
    "demo_s": demo_s,
    "wallet_first_screen": wallet_first_screen,
    "scan_verify_ms": scan_verify_ms,
    "presentation_bytes": presentation_bytes,
}
