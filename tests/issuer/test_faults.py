"""What must hold after a process ended without warning, or while the disk is full."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from credentials.anchor import anchor_of
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey
from credentials.status import parse_status_list
from issuer.errors import RecordSealBroken, StoreFull
from issuer.office import Office
from issuer.schema import credentials, outbox, status_lists
from issuer.service import Issuer
from issuer.settings import Settings
from registry.ledger.genesis import Genesis
from registry.ledger.members import encode_digest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("crash_issuer.py")

_spec = importlib.util.spec_from_file_location("crash_issuer", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
crash_issuer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(crash_issuer)


@pytest.fixture
def make_issuer(settings: Settings, genesis: Genesis) -> Callable[[Path], None]:
    def make(home: Path) -> None:
        Issuer.init(
            home,
            settings,
            genesis=genesis.entry.raw,
            authority_certificate=b"not used here",
            passphrase="correct horse",
            cost=COST_FLOOR,
        )

    return make


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *(str(argument) for argument in arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "point",
    [
        "issuer.issuance:add_proof",
        "after:issuer.issuance:anchor_of",
        "after:issuer.service:Issuer.issue",
        "issuer.statuslists:add_proof",
        "issuer.anchoring:Anchoring.send",
        "__main__:FileChain.submit",
        "after:__main__:FileChain.submit",
        "after:issuer.anchoring:Anchoring.send",
        "after:issuer.lifecycle:set_bits",
        "after:issuer.lifecycle:Lifecycle.change",
    ],
)
def test_a_process_that_ends_anywhere_leaves_nothing_half_done(
    tmp_path: Path, make_issuer: Callable[[Path], None], point: str
) -> None:
    home, chain = tmp_path / "issuer", crash_issuer.FileChain(tmp_path / "chain")
    make_issuer(home)
    key = PrivateKey.generate("P-256")
    enrolled = run(home, chain.path, "none")
    assert enrolled.returncode == 0, enrolled.stderr
    token = enrolled.stdout.strip()
    crashed = run(home, chain.path, point, token, key.to_bytes().hex())
    assert crashed.returncode == 9, crashed.stderr
    delivered = [json.loads(line) for line in crashed.stdout.splitlines() if line[:1] == "{"]

    with Issuer.open(
        home, "correct horse", authority=crash_issuer.Willing(), registry=lambda: chain
    ) as issuer:
        # The same token and key get the credential, and the one that was delivered before.
        credential = crash_issuer.issue(issuer, token, key)
        assert delivered in ([], [credential])
        (known,) = issuer.records.credentials()
        if known.state == "active":
            issuer.change("revoke", [known.id], reason="fraud", actor="clerk")
        else:
            issuer.publish()
        assert issuer.pending() == 0
        document = json.loads(issuer.status_list(known.revocation[0]))
        bits = parse_status_list(document).bits
        assert bits.get(known.revocation[1])
        assert bits.count() == 1
        (known,) = issuer.records.credentials()
        assert known.state == "revoked"
        assert [entry.action for entry in issuer.records.journal()].count("revoke") == 1
        with issuer._office.store.read() as connection:
            used = dict(
                connection.execute(
                    status_lists.select().with_only_columns(
                        status_lists.c.purpose, status_lists.c.used
                    )
                ).all()
            )
            rows = connection.execute(
                outbox.select().with_only_columns(outbox.c.kind, outbox.c.state)
            ).all()
        assert used == {"revocation": 1, "suspension": 1}
        assert [state for kind, state in rows if kind == "anchor"] == ["done"]
    entries = [json.loads(raw) for raw in chain.entries()]
    kinds = Counter(entry["kind"] for entry in entries)
    assert kinds["anchor"] == 1
    anchors = [entry["anchor"] for entry in entries if entry["kind"] == "anchor"]
    assert anchors == [encode_digest(anchor_of(credential))]
    # The newest entry for the list is the one that says revoked.
    lists = [entry for entry in entries if entry.get("list") == document["id"]]
    assert lists[-1]["digest"] == crash_issuer.document_digest(document)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB; only root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let tests mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_an_init_on_a_full_disk_leaves_no_issuer(
    small_disk: Path, make_issuer: Callable[[Path], None]
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (1024 * 1024 - 64 * 1024))
    with pytest.raises(StoreFull):
        make_issuer(small_disk / "issuer")
    assert list(small_disk.iterdir()) == [filler]
    filler.unlink()
    make_issuer(small_disk / "issuer")


def test_a_disk_that_fills_while_serving_loses_nothing_that_was_acknowledged(
    small_disk: Path,
    make_issuer: Callable[[Path], None],
    authority: Any,
    registry: Any,
    citizen: dict[str, str],
) -> None:
    home = small_disk / "issuer"
    make_issuer(home)
    with Issuer.open(
        home, "correct horse", authority=authority, registry=lambda: registry
    ) as issuer:
        acknowledged = []
        with pytest.raises(StoreFull):
            for _ in range(2000):
                acknowledged.append(issuer.apply_at_counter(citizen, actor="clerk"))
    assert acknowledged
    for left in (home / "outbox").iterdir():
        left.unlink()
    with Issuer.open(
        home, "correct horse", authority=authority, registry=lambda: registry
    ) as issuer:
        kept = {known.id: known.state for known in issuer.records.applications(limit=10_000)}
        assert all(kept[offer.application] == "offered" for offer in acknowledged)
        assert issuer.records.journal()


def test_an_altered_record_is_named_and_never_delivered(
    issuer: Issuer,
    office: Office,
    issue: Callable[..., dict[str, Any]],
) -> None:
    issue()
    issue()
    first, second = issuer.records.credentials()
    with office.store.write() as connection:
        sealed = connection.execute(
            credentials.select()
            .with_only_columns(credentials.c.sealed)
            .where(credentials.c.id == second.id)
        ).scalar_one()
        connection.execute(
            credentials.update().where(credentials.c.id == first.id).values(sealed=sealed)
        )
    with pytest.raises(RecordSealBroken):
        issuer.open_record(first.id, actor="auditor")
    assert issuer.open_record(second.id, actor="auditor")
