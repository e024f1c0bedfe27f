"""A log and a plain list do the same, whatever is submitted, ticked, crashed and reopened."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from registry.engine.fsck import check_log
from registry.engine.log import Log, Sequenced
from registry.errors import EntriesDuplicate
from registry.tlog.merkle import leaf_hash, root_of, verify_consistency, verify_inclusion
from registry.tlog.note import NoteSigner

ORIGIN = "model.example/log"
SIGNER = NoteSigner.from_seed(ORIGIN, b"\x01" * 32)


class LogModel(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp()) / "log"
        Log.create(self.folder, ORIGIN)
        self.log = Log.open(self.folder, signer=SIGNER)
        self.entries: list[bytes] = []
        self.ticked: list[int] = []
        self.serial = 0

    def fresh(self, count: int) -> list[bytes]:
        self.serial += count
        return [b"%d" % i for i in range(self.serial - count, self.serial)]

    @rule(count=st.sampled_from([1, 2, 50, 255, 256, 257]), sealed=st.booleans())
    def add(self, count: int, sealed: bool) -> None:
        batch = self.fresh(count)
        seal = b"seal %d" % self.serial if sealed else None
        first = len(self.entries)
        expected = Sequenced(tuple(range(first, first + count)), False)
        assert self.log.add(batch, seal) == expected
        self.entries += [*batch, seal] if seal else batch

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        indices = data.draw(st.lists(st.integers(0, len(self.entries) - 1), min_size=1, max_size=5))
        batch = [self.entries[i] for i in indices]
        assert self.log.add(batch, b"another seal") == Sequenced(tuple(indices), True)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def mix(self, data: st.DataObject) -> None:
        known = self.entries[data.draw(st.integers(0, len(self.entries) - 1))]
        with pytest.raises(EntriesDuplicate) as caught:
            self.log.add([*self.fresh(2), known])
        assert caught.value.params == {"positions": [2]}

    @rule()
    def tick(self) -> None:
        self.log.tick()
        if self.entries:
            self.ticked.append(len(self.entries))

    @rule(crash=st.booleans())
    def reopen(self, crash: bool) -> None:
        if crash:
            # What a power cut leaves: the files as they are, with the WAL beside the database.
            image = self.folder.with_name(f"image {self.serial} {len(self.ticked)}")
            shutil.copytree(self.folder, image, dirs_exist_ok=True)
            self.log.close()
            shutil.rmtree(self.folder)
            image.rename(self.folder)
        else:
            self.log.close()
        self.log = Log.open(self.folder, signer=SIGNER)
        assert self.log.view.size == len(self.entries)

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "log"):
            return
        assert self.log.size == len(self.entries)
        view = self.log.view
        leaves = [leaf_hash(e) for e in self.entries]
        root = root_of(leaves[: view.size])
        assert view.checkpoint.root == root
        if view.size:
            index = self.serial % view.size
            verify_inclusion(
                index, view.size, leaves[index], view.inclusion_proof(index, view.size), root
            )
        for old in self.ticked[-2:]:
            proof = view.consistency_proof(old, view.size)
            verify_consistency(old, view.size, root_of(leaves[:old]), root, proof)

    def teardown(self) -> None:
        if not hasattr(self, "log"):
            return
        self.log.tick()
        assert self.log.view.entries(0, len(self.entries)) == self.entries
        self.log.close()
        assert check_log(self.folder, log_key=SIGNER.key).findings == []
        shutil.rmtree(self.folder.parent)


LogModel.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_log_model = LogModel.TestCase
