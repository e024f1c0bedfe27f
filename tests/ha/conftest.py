"""A three-node PostgreSQL cluster under Patroni, with etcd, on loopback: for `make test-ha` alone.

Everything is Debian's (`apt-get install patroni etcd-server postgresql-15`) and runs as the user
`postgres` when the tests run as root. Every process that is started here is ended here.
"""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ports import held_port, number_of
from tests.registry.cluster import Cluster
from tests.waiting import until

NODES = ("pg1", "pg2", "pg3")
REGISTRY_TESTS = Path(__file__).parents[1] / "registry"


def pytest_ignore_collect() -> bool | None:
    """Not part of `make test`: it takes minutes, and servers that few machines have."""
    return None if os.environ.get("ZL_TEST_HA") else True


def programs() -> dict[str, str]:
    """Where the servers are; skips, and says what to install, where one is missing."""
    found = {name: shutil.which(name) or "" for name in ("patroni", "etcd")}
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    found["postgres"] = str(versions[-1].parent) if versions else ""
    missing = [name for name, path in found.items() if not path]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not found: apt-get install patroni etcd-server postgresql-15"
        )
    return found


@dataclass
class Patroni:
    """The cluster. `kill` and `crash` are what happens to it."""

    folder: Path
    programs: dict[str, str]
    user: str | None
    ports: dict[str, int] = field(default_factory=dict)
    rest: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    held: list[socket.socket] = field(default_factory=list)
    password: str = field(default_factory=lambda: secrets.token_hex(12))

    def run(self, name: str, *command: str) -> None:
        """Start a server of the cluster."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            )

    def start(self) -> None:
        self.held = [held_port() for _ in range(2 + 2 * len(NODES))]  # nodes come back to theirs
        etcd, peer, *rest = map(number_of, self.held)
        self.ports = dict(zip(NODES, rest[: len(NODES)], strict=True))
        self.rest = dict(zip(NODES, rest[len(NODES) :], strict=True))
        self.run(
            "etcd",
            self.programs["etcd"],
            *("--name", "e", "--data-dir", str(self.folder / "etcd")),
            *("--listen-client-urls", f"http://127.0.0.1:{etcd}"),
            *("--advertise-client-urls", f"http://127.0.0.1:{etcd}"),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
            *("--initial-cluster", f"e=http://127.0.0.1:{peer}"),
        )
        for name in NODES:
            config = self.config(name, etcd)
            (self.folder / f"{name}.yml").write_text(json.dumps(config))  # JSON is YAML
        (self.folder / "pgpass").write_text(f"*:*:*:*:{self.password}\n")
        (self.folder / "pgpass").chmod(0o600)
        self.node("pg1")
        self.until(lambda: self.leader() == "pg1", 60)
        for name in NODES[1:]:
            self.node(name)
        self.until(self.whole, 60)

    def config(self, name: str, etcd: int) -> dict[str, Any]:
        """Patroni's, as docs/operations.md has it."""
        accounts = {"username": "postgres", "password": self.password}
        return {
            "scope": "zl",
            "name": name,
            "restapi": {
                "listen": f"127.0.0.1:{self.rest[name]}",
                "connect_address": f"127.0.0.1:{self.rest[name]}",
            },
            "etcd3": {"host": f"127.0.0.1:{etcd}"},
            "bootstrap": {
                "dcs": {
                    "ttl": 10,
                    "loop_wait": 2,
                    "retry_timeout": 3,
                    "maximum_lag_on_failover": 1048576,
                    "synchronous_mode": True,
                    "synchronous_mode_strict": True,
                    "synchronous_node_count": 1,
                    "postgresql": {
                        "use_pg_rewind": True,
                        "parameters": {"synchronous_commit": "on", "wal_log_hints": "on"},
                    },
                },
                "initdb": [{"encoding": "UTF8"}, "data-checksums", {"auth": "scram-sha-256"}],
                "pg_hba": [
                    "local all all scram-sha-256",
                    "host all all 127.0.0.1/32 scram-sha-256",
                    "host replication all 127.0.0.1/32 scram-sha-256",
                ],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.ports[name]}",
                "connect_address": f"127.0.0.1:{self.ports[name]}",
                "data_dir": str(self.folder / name),
                "bin_dir": self.programs["postgres"],
                "pgpass": str(self.folder / f"{name}.pgpass"),
                "authentication": {
                    "superuser": accounts,
                    "replication": accounts,
                    "rewind": accounts,
                },
                # Outside the data directory: pg_rewind refuses a socket in it.
                "parameters": {
                    "unix_socket_directories": str(self.folder),
                    "shared_buffers": "64MB",
                },
            },
        }

    def node(self, name: str) -> None:
        """Start a node, or start it again."""
        self.run(name, self.programs["patroni"], str(self.folder / f"{name}.yml"))

    def members(self) -> list[dict[str, Any]]:
        for name in self.running:
            if name in self.rest:
                with suppress(httpx.HTTPError, ValueError, KeyError):
                    url = f"http://127.0.0.1:{self.rest[name]}/cluster"
                    found = httpx.get(url, timeout=2, trust_env=False).json()
                    return list(found["members"])
        return []

    def leader(self) -> str | None:
        """The primary, as Patroni sees it."""
        for member in self.members():
            if member["role"] == "leader" and member["state"] == "running":
                return str(member["name"])
        return None

    def primary(self) -> str:
        """`leader`, once Patroni answers and has one."""
        return until(self.leader) or ""

    def whole(self) -> bool:
        """One primary, one synchronous standby, one more; all of them follow."""
        roles = sorted(
            member["role"]
            for member in self.members()
            if member["state"] in {"running", "streaming"} and not member.get("lag")
        )
        return roles == ["leader", "replica", "sync_standby"]

    def until(self, done: Callable[[], Any], limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while not done():
            assert time.monotonic() < end, self.members()
            for name, process in self.running.items():
                assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]
            time.sleep(0.2)

    def postmaster(self, name: str) -> int:
        return int((self.folder / name / "postmaster.pid").read_text().split()[0])

    def lose(self, name: str) -> None:
        """The whole node is gone at once, Patroni first."""
        process = self.running.pop(name)
        postmaster = self.postmaster(name)
        process.kill()
        os.kill(postmaster, signal.SIGKILL)
        process.wait(10)

    def crash(self, name: str) -> None:
        """The database server alone dies; Patroni is there to see it."""
        os.kill(self.postmaster(name), signal.SIGKILL)

    @property
    def url(self) -> str:
        """All nodes; libpq finds the primary. The password is in the file that PGPASSFILE names."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports.values())
        return f"postgresql://postgres@{hosts}/postgres"

    def stop(self) -> None:
        for name, process in self.running.items():
            process.kill()
            process.wait(10)
            if name in self.ports:
                with suppress(OSError, ValueError, IndexError):
                    os.kill(self.postmaster(name), signal.SIGQUIT)
        for port in self.held:
            port.close()


@pytest.fixture(scope="session")
def patroni() -> Iterator[Patroni]:
    """The cluster, started once."""
    found = programs()
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="zl-ha-"))
    folder.chmod(0o755)
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    # Also when this run is killed: PostgreSQL outlives Patroni, and Patroni us.
    guard = subprocess.Popen(
        [sys.executable, REGISTRY_TESTS / "guard.py", folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    cluster = Patroni(folder, found, user)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        guard.communicate(timeout=30)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Any]:
    """Sequencer processes and their load."""
    found = Cluster(tmp_path)
    yield found
    found.stop()
