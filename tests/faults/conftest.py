"""A PostgreSQL server of its own for the fault suite: it is crashed while others must not be."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.registry.conftest import Postgres, start_postgres
from tests.waiting import PATIENCE_S


class CrashingPostgres(Postgres):
    """A server that can be made to fail. It keeps its default settings, `fsync` among them."""

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does; then it is started and recovers by itself."""
        process = self.server.get_postmaster_info().process
        process.send_signal(3)  # SIGQUIT
        process.wait(PATIENCE_S)
        self.server.ensure_postgres_running()

    def end_sessions(self) -> None:
        """End every other connection, in whatever it is doing."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )


@pytest.fixture(scope="session")
def crashing_postgres() -> Iterator[CrashingPostgres]:
    """A server, stopped and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="zl-pg-faults-"))
    folder.chmod(0o755)
    server = start_postgres(folder / "data")
    try:
        yield CrashingPostgres(server)
    finally:
        with suppress(psutil.NoSuchProcess):  # it may have ended with the last fault
            process = server.get_postmaster_info().process
            process.send_signal(3)
            process.wait(PATIENCE_S)
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
