"""Running `zl` as other processes: commands that end, and servers that are watched and ended.

Everything listens on loopback. Servers are ended by their own process id when the demonstration
ends, however it ends.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from schemas.errors import ExitCode, ZhenglianError
from zhenglian.demo.tethered import PARENT

START_S: Final = 60.0
"""Seconds for a server to say that it listens, on a slow machine."""

STOP_S: Final = 5.0
COMMAND_S: Final = 60.0


class StepFailed(ZhenglianError):
    """A command of the demonstration ended otherwise than the story says."""

    code = "ZL-DEMO-STEP"
    exit_code = ExitCode.ENVIRONMENT
    message = "`zl {command}` ended with code {got} where the story expects {expected}."
    hint = "Its words stand above; the servers' logs are in {logs}."


class ServerFailed(ZhenglianError):
    """A server of the demonstration did not start."""

    code = "ZL-DEMO-SERVER"
    exit_code = ExitCode.ENVIRONMENT
    message = "The process {name} did not start."
    hint = "Read {log}."


@dataclass(frozen=True)
class Done:
    """A command that ended. `data` is what it printed as JSON (None when it printed none)."""

    code: int
    data: Any
    seconds: float


@dataclass
class Stage:
    """Where the demonstration happens: a folder, and the processes that it started."""

    folder: Path
    language: str
    _servers: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _ports: ExitStack = field(default_factory=ExitStack)

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def environ(self, home: str) -> dict[str, str]:
        kept: Mapping[str, str] = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
        return {
            **kept,
            "ZL_HOME": str(self.folder / home),
            "ZL_PASSPHRASE_FILE": str(self.folder / "passphrase.txt"),
            "ZL_LANG": self.language,
            "PYTHONUNBUFFERED": "1",
        }

    def run(
        self, *arguments: str | Path, home: str = "home", expect: int = 0, offline: bool = False
    ) -> Done:
        """Run one `zl … --json` to its end. Raises `StepFailed` when its exit code is another.

        `offline` runs it in a process that cannot open a socket.
        """
        words = [str(a) for a in arguments]
        begun = time.perf_counter()
        ended = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
            [
                *(sys.executable, "-m", "zhenglian.demo.offline" if offline else "zhenglian"),
                *(*words, "--json"),
            ],
            env=self.environ(home),
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if ended.returncode != expect:
            sys.stderr.write(ended.stdout + ended.stderr)
            raise StepFailed(
                command=" ".join(words[:3]), got=ended.returncode, expected=expect, logs=self.logs
            )
        try:
            data = json.loads(ended.stdout) if ended.stdout.strip() else None
        except ValueError:
            data = None
        return Done(ended.returncode, data, time.perf_counter() - begun)

    def serve(self, name: str, *arguments: str | Path, home: str = "home") -> str:
        """Start a server and return the address that it announces. Raises `ServerFailed`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("a", encoding="utf-8") as errors:
            server = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                [
                    *(sys.executable, "-m", "zhenglian.demo.tethered"),
                    *(*(str(a) for a in arguments), "--json"),
                ],
                env={**self.environ(home), PARENT: str(os.getpid())},
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        self._servers[name] = server
        address = _announced(server, log)
        if address is None:
            self.kill(name)
            raise ServerFailed(name=name, log=log)
        return address

    def kill(self, name: str, *, port: int | None = None) -> None:
        """End a server as a crash would. Its `port` is kept for when it comes back."""
        server = self._servers.pop(name)
        server.kill()
        server.wait()
        if port is not None:
            self._ports.enter_context(reserved_port(port))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers.values():
            server.terminate()
        for server in self._servers.values():
            try:
                server.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        self._servers.clear()
        self._ports.close()


def _announced(server: subprocess.Popen[str], log: Path) -> str | None:
    """The `listening` address from the server's first lines; the rest goes to its log."""
    lines: queue.Queue[str | None] = queue.Queue()
    stream = server.stdout
    if stream is None:
        return None

    def pump() -> None:
        with log.open("a", encoding="utf-8") as kept:
            for line in stream:
                kept.write(line)
                lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    deadline = time.monotonic() + START_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            return None
        if line is None:
            return None
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and isinstance(said.get("listening"), str):
            return str(said["listening"])
    return None


@contextmanager
def reserved_port(port: int = 0) -> Iterator[int]:
    """A port of 127.0.0.1, by default any, that only a server which names it gets meanwhile.

    Where two sockets cannot share an address before one listens, which is everywhere but on
    Linux, it was merely free a moment ago.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        found = int(held.getsockname()[1])
        if sys.platform != "linux":
            held.close()
        yield found
