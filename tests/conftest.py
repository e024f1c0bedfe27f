"""A small city for tests of the front door: real servers on loopback, real clock, one a session.

The registry with its four nodes and an issuer are served by threads of this process; wallets and
desks are opened by `zl` itself, in this process or in another. The authority is steered by the
test, for the tests of the real one are in `tests/issuer`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes, or its making, says something of the machine's other work only.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
PASSPHRASE = "correct horse battery staple"
DESK_DID = "did:web:desk.hangzhou.example"
OTHER_DID = "did:web:library.hangzhou.example"
ENTITLEMENT = "age-check"


# Files whose tests wait for processes, browsers and clocks: begun first, so that no worker is left
# with one of them when the others have finished.
_LONG = (
    "faults/",
    "browser/",
    "registry/watching/",
    "registry/cli/",
    "zhenglian/test_servers.py",
    "zhenglian/test_demo.py",
    "zhenglian/test_bad_input",
    "registry/sequencing/test_duty.py",
    "registry/sequencing/test_takeover.py",
    "registry/archive/",
    "registry/nodes/",
    "registry/sequencing/test_side_chains.py",
    "wallet/test_epochs.py",
    "wallet/test_tui",
    "interop/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; otherwise the order stays."""
    here = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix() if here in item.path.parents else ""
        return next((at for at, part in enumerate(_LONG) if name.startswith(part)), len(_LONG))

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def _logs_of_one_test_only() -> Iterator[None]:
    """A server that runs inside a test logs to that test's stderr, which is closed afterwards."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in set(root.handlers) - set(before):
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The code of the error that `--json` printed."""
        return str(self.json["error"]["code"])


@dataclass
class City:
    """`registry` and `issuer` are addresses; `genesis` the pinned file."""

    folder: Path
    chain: Any
    office: Any
    authority: Any
    registry: str
    issuer: str
    genesis: Path
    people: int = 100
    _offers: dict[str, str] = field(default_factory=dict)

    def environ(self, home: Path, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ZL_")}
        return {
            **kept,
            "ZL_HOME": str(home),
            "ZL_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "ZL_LANG": "en",
            "COLUMNS": "200",
            **more,
        }

    def zl(self, home: Path, *words: object, stdin: bytes = b"", **more: str) -> Outcome:
        """`zl …` through the front door, in this process (an import costs more than a command)."""
        from zhenglian.cli import run

        before = dict(os.environ)
        out, err = io.StringIO(), io.StringIO()
        os.environ.clear()
        os.environ.update(self.environ(home, **more))
        typed, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run([str(word) for word in words], os.environ)
        finally:
            sys.stdin = typed
            os.environ.clear()
            os.environ.update(before)
        return Outcome(code, out.getvalue(), err.getvalue())

    def process(
        self,
        home: Path,
        *words: object,
        program: tuple[str, ...] = ("-m", "zhenglian"),
        **more: str,
    ) -> Outcome:
        """`zl …` as a process of its own."""
        done = subprocess.run(
            [sys.executable, *program, *(str(word) for word in words)],
            cwd=ROOT,
            env=self.environ(home, **more),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def settle(self) -> None:
        """Bring what was issued to the chain, and have it cosigned."""
        assert self.office.publish().trouble is None
        assert self.chain.settle()

    def desk(self, home: Path, did: str = DESK_DID) -> None:
        """An accredited, entitled and synchronised desk in `home`."""
        from registry.ledger.entries import make_entry
        from registry.ledger.members import encode_time

        made = self.zl(
            *(home, "verifier", "init", "--did", did, "--registry", self.registry, "--json"),
            *("--name-zh", "服务窗口", "--name-en", "Counter", "--genesis", self.genesis),
            "--unencrypted-key",
        )
        assert made.code == 0, made
        told = json.loads(Path(made.json["accreditation"]).read_bytes())
        period = {"from": encode_time(datetime.now(UTC) - timedelta(days=1)), "to": None}
        self.chain.govern(
            make_entry("verifier", **told, **period),
            make_entry(
                "entitlement",
                id=ENTITLEMENT if did == DESK_DID else f"{did}-{ENTITLEMENT}",
                verifier=did,
                credentialType="ResidentIdentityCredential",
                claims=["/credentialSubject/name", "/credentialSubject/ageOver18"],
                purpose={"zh-CN": "核实是否成年", "en": "Check of age"},
                legalBasis={"zh-CN": "某条例", "en": "Some regulation"},
                **period,
            ),
        )
        assert self.zl(home, "verifier", "sync", "--json").code == 0

    def citizen(self) -> dict[str, str]:
        """A citizen whom no other test knows."""
        from schemas.identifiers.gb11643 import build_citizen_number

        self.people += 1
        number = build_citizen_number("330106", date(1990, 1, 1), 2 * self.people + 1).text
        return {
            "name": "欧阳雪莉",
            "citizenNumber": number,
            "sex": "male",
            "birthDate": "1990-01-01",
            "ethnicity": "汉",
            "division": "330106",
        }

    def wallet(self, home: Path) -> None:
        """A wallet in `home` that knows the chain."""
        words = ("wallet", "init", "--registry", self.registry, "--genesis", self.genesis)
        made = self.zl(home, *words, "--json")
        assert made.code == 0, made
        assert made.json["problem"] is None

    def apply(self, home: Path) -> dict[str, Any]:
        """A confirmed application; `tx_code` is a file with its transaction code."""
        data = home / "me.json"
        data.write_text(json.dumps(self.citizen(), ensure_ascii=False), encoding="utf-8")
        applied = self.zl(home, "wallet", "apply", "--file", data, "--json")
        assert applied.code == 0, applied
        letters = (self.folder / "issuer" / "outbox").glob("*.json")
        newest = max(letters, key=lambda path: path.stat().st_mtime_ns)
        code = home / "tx-code"
        code.write_text(json.loads(newest.read_bytes())["tx_code"], encoding="utf-8")
        return {**applied.json, "tx_code": code}

    def credential(self, home: Path) -> str:
        """The identifier of an anchored credential in the wallet at `home`."""
        applied = self.apply(home)
        taken = self.zl(
            *(home, "wallet", "accept", "--application", applied["id"]),
            *("--tx-code-file", applied["tx_code"], "--json"),
        )
        assert taken.code == 0, taken
        self.settle()
        assert self.zl(home, "wallet", "refresh", "--json").json["anchored"] == 1
        return str(taken.json["id"])


class _Steered:
    """An authority that answers as the test says."""

    def __init__(self) -> None:
        self.passes = True
        self.trouble: Exception | None = None

    def check(self, _person: Mapping[str, str]) -> Any:
        from issuer.authority.client import AuthorityAnswer
        from schemas.digests import digest_multibase

        if self.trouble is not None:
            raise self.trouble
        return AuthorityAnswer(
            passed=self.passes,
            authority="did:web:authority.example",
            checked_at=datetime.now(UTC).replace(microsecond=0),
            reply_digest=digest_multibase(b"a signed answer"),
            reply="a signed answer",
        )


@contextlib.contextmanager
def serve(build: Callable[[], Any]) -> Iterator[Callable[[], str]]:
    """Serve an application on loopback. The address is known before the application is built."""
    import uvicorn

    with socket.socket() as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # see registry.web.serving
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        started: list[tuple[Any, threading.Thread]] = []

        def start() -> str:
            config = uvicorn.Config(build(), log_config=None, access_log=False, lifespan="off")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            started.append((server, thread))
            while not server.started:
                assert thread.is_alive(), "the server ended before it listened"
                time.sleep(0.01)
            return address

        start.address = address  # type: ignore[attr-defined]
        try:
            yield start
        finally:
            for server, thread in started:
                server.should_exit = True
                thread.join(10)


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The city, founded when the first test asks for it."""
    from credentials.keyfile import COST_FLOOR
    from credentials.keys import PrivateKey
    from issuer.api import build_api
    from issuer.service import Issuer
    from issuer.settings import AuthoritySettings, Settings
    from registry.client import RegistryClient
    from registry.ledger.entries import make_entry
    from registry.ledger.members import encode_time
    from registry.simulation.simulator import NETWORK, Consortium

    class Today(Consortium):
        """A consortium whose clock is the real one: other processes read that."""

        now = property(lambda _self: datetime.now(UTC), lambda _self, _moment: None)  # type: ignore[assignment]

    folder = tmp_path_factory.mktemp("city")
    (folder / "passphrase").write_text(PASSPHRASE + "\n", encoding="utf-8")
    authority = _Steered()
    offices: list[Issuer] = []
    with (
        Today(folder / "chain", start=datetime.now(UTC)) as chain,
        serve(lambda: chain.transport.apps["registry.invalid"]) as serve_registry,
        serve(lambda: build_api(offices[0])) as serve_issuer,
    ):
        registry = serve_registry()
        genesis = folder / "genesis.json"
        genesis.write_bytes(chain.genesis.entry.raw + b"\n")
        now = datetime.now(UTC)
        settings = Settings(
            did="did:web:data.hangzhou.example",
            name={"zh-CN": "杭州市数据资源管理局", "en": "Data Resources Administration"},
            public_url=serve_issuer.address,  # type: ignore[attr-defined]
            registry_urls=(registry,),
            network=NETWORK,
            authority=AuthoritySettings(
                "https://authority.example",
                "did:web:authority.example",
                PrivateKey.generate("Ed25519").public_key.multikey(),
            ),
            created=encode_time(now),
        )
        Issuer.init(
            folder / "issuer",
            settings,
            genesis=chain.genesis.entry.raw,
            authority_certificate=b"none",
            passphrase=PASSPHRASE,
            cost=COST_FLOOR,
        )
        office = Issuer.open(
            folder / "issuer",
            PASSPHRASE,
            authority=authority,
            registry=lambda: RegistryClient(registry, chain.genesis),
        )
        offices.append(office)
        told = json.loads((folder / "issuer" / "accreditation.json").read_bytes())
        chain.govern(
            make_entry(
                "issuer", **told, **{"from": encode_time(now - timedelta(days=1)), "to": None}
            )
        )
        founded = City(folder, chain, office, authority, registry, serve_issuer(), genesis)
        founded.settle()
        yield founded
        office.close()


@dataclass
class Counter:
    """A desk and a citizen with a credential, each in a home of its own."""

    city: City
    desk: Path
    wallet: Path
    credential: str
    asked: int = 0

    def zl(self, *words: object, **more: str) -> Outcome:
        home = self.wallet if words[0] == "wallet" else self.desk
        return self.city.zl(home, *words, **more)

    def ask(self, *claims: str) -> Path:
        """A fresh request, as a picture."""
        self.asked += 1
        picture = self.desk / f"request-{self.asked}.png"
        words = [word for claim in claims for word in ("--claim", claim)]
        made = self.zl("verifier", "request", ENTITLEMENT, *words, "--out-png", picture, "--json")
        assert made.code == 0, made
        return picture

    def answer(self, request: Path) -> Path:
        """The citizen's answer, as a picture; the same as text beside it, `.txt`."""
        picture = self.wallet / f"answer-{request.stem}.png"
        made = self.zl(
            *("wallet", "answer", "--image", request, "--yes", "--json"),
            *("--out-png", picture, "--out-text", picture.with_suffix(".txt")),
        )
        assert made.code == 0, made
        return picture


@pytest.fixture(scope="session")
def counter_city(city: City, tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """The city's counter."""
    desk, wallet = tmp_path_factory.mktemp("desk"), tmp_path_factory.mktemp("wallet")
    city.desk(desk)
    city.wallet(wallet)
    credential = city.credential(wallet)
    assert city.zl(desk, "verifier", "sync", "--json").code == 0
    return Counter(city, desk, wallet, credential)
