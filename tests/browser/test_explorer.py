"""The public explorer in a real browser: what it shows as verified is, and tampering shows.

A consortium of real code behind real sockets; between the browser and it stands a proxy that
passes everything on, unless a test tells it to change an answer.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from credentials.multibase import multibase_base64
from registry.ledger.entries import Entry, access_entry, anchor_entry, anchor_leaf_hash, make_entry
from registry.ledger.members import document_digest
from registry.limits import MAX_GENESIS_BYTES
from registry.simulation import simulator
from registry.simulation.simulator import Consortium, Party

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Change = Callable[[str, bytes], bytes]


@dataclass
class Proxy:
    """An ASGI application before another one, that may change what it answers."""

    app: Any
    change: Change | None = None
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.paths.append(scope["path"])
        # What is changed here must not come packed.
        plain = [row for row in scope["headers"] if row[0].lower() != b"accept-encoding"]
        scope = {**scope, "headers": plain}
        head: dict[str, Any] = {}
        body = bytearray()

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            data = bytes(body)
            if self.change is not None and head["status"] == 200:
                data = self.change(scope["path"], data)
            length = (b"content-length", str(len(data)).encode())
            headers = [h for h in head["headers"] if h[0].lower() != b"content-length"]
            await send({**head, "headers": [*headers, length]})
            await send({"type": "http.response.body", "body": data})

        await self.app(scope, receive, collect)


@contextmanager
def listening(app: Any) -> Iterator[str]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        worker = uvicorn.Server(config)
        thread = threading.Thread(target=worker.run, kwargs={"sockets": [server]}, daemon=True)
        thread.start()
        while not worker.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            worker.should_exit = True
            thread.join(timeout=10)


@dataclass
class Town:
    chain: Consortium
    issuer: Party
    proxy: Proxy
    url: str


def anchor(number: int) -> bytes:
    return sha256(f"credential {number}".encode()).digest()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Three days of a small town: 600 anchors, some access records, one status entry."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator, "START", start)  # accreditations begin with the network
        with Consortium(tmp_path_factory.mktemp("town"), start=start) as chain:
            issuer, desk = chain.add_issuer(), chain.add_verifier()
            chain.entitle(desk.did)
            origin, access = chain.genesis.identity_origin, chain.genesis.access_origin
            for day in range(3):
                for first in range(day * 200, day * 200 + 200, 100):
                    entries = [
                        anchor_entry(issuer.did, anchor(n)) for n in range(first, first + 100)
                    ]
                    chain.client.submit(origin, entries, issuer.key, issuer.key_url)
                records = [access_entry(desk.did, anchor(10_000 + day))]
                chain.client.submit(access, records, desk.key, desk.key_url)
                chain.settle()
                if day < 2:
                    chain.advance(days=1)
            proxy = Proxy(chain.transport.apps["registry.invalid"])
            with listening(proxy) as url:
                yield Town(chain, issuer, proxy, url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@dataclass
class Gate:
    """Requests that wait until they are let through."""

    held: list[Any] = field(default_factory=list)
    is_open: bool = False

    def meet(self, route: Any) -> None:
        if self.is_open:
            route.continue_()
        else:
            self.held.append(route)

    def open(self) -> None:
        self.is_open = True
        for route in self.held:
            route.continue_()


@dataclass
class Visit:
    """A page, and everything that it complained of or asked for elsewhere."""

    town: Town
    page: Any
    complaints: list[str]
    hosts: set[str]
    asked: list[Any] = field(default_factory=list)
    answered: list[Any] = field(default_factory=list)

    def go(self, fragment: str) -> None:
        # A change of the fragment alone would not load the page anew.
        self.page.goto("about:blank")
        self.page.goto(f"{self.town.url}/explorer/#{fragment}")
        self.wait(fragment)

    def wait(self, fragment: str | None = None) -> None:
        """Until the page of this address stands, not the one that stood before it."""
        page = "main[data-page]" if fragment is None else f'main[data-page="#{fragment}"]'
        self.page.wait_for_selector(f"{page}:not([aria-busy])")

    def quiet(self) -> None:
        """Until all that was asked is answered, and nothing more is asked."""
        before = -1
        while len(self.answered) < len(self.asked) or len(self.asked) != before:
            before = len(self.asked)
            self.page.wait_for_timeout(300)

    def follow(self, selector: str, fragment: str) -> None:
        self.page.click(selector)
        self.wait(fragment)

    def text(self, selector: str = "main") -> str:
        return str(self.page.inner_text(selector))

    def look_up(self, query: str) -> str:
        self.go("/lookup")
        self.page.fill("#query", query)
        self.page.click("button.primary")
        self.page.wait_for_selector("[data-verdict], .verdict")
        return str(self.page.get_attribute(".verdict", "data-verdict"))


@pytest.fixture
def visit(town: Town, browser: Any) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def start(language: str = "en-US", width: int = 1100, scheme: str = "light") -> Visit:
        context = browser.new_context(
            locale=language, color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        contexts.append(context)
        page = context.new_page()
        found = Visit(town, page, [], set())
        page.on("request", lambda r: found.asked.append(r))  # noqa: PLW0108 - no builtins there
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda r: found.answered.append(r))  # noqa: PLW0108
        page.on("console", lambda m: found.complaints.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda e: found.complaints.append(str(e)))
        page.on("request", lambda r: found.hosts.add(r.url.split("/")[2]) if "//" in r.url else 0)
        return found

    town.proxy.change = None
    yield start
    town.proxy.change = None
    for context in contexts:
        context.close()


PAGES = ("/", "/entries/identity", "/entries/main", "/blocks", "/rules", "/trust", "/lookup")


@pytest.mark.parametrize(
    ("language", "word"), [("en-US", "Verified in your browser"), ("zh-CN", "已在您的浏览器中验证")]
)
def test_every_page_in_both_languages(
    visit: Callable[..., Visit], language: str, word: str
) -> None:
    seen = visit(language)
    for fragment in PAGES:
        seen.go(fragment)
        assert not seen.page.query_selector(".verdict.bad"), fragment
        assert seen.page.get_attribute("html", "lang") == language.removesuffix("-US")
    seen.go("/")
    assert word in seen.text()
    assert seen.complaints == []
    assert seen.hosts == {seen.town.url.split("/")[2]}


def test_the_language_can_be_switched_and_is_remembered(visit: Callable[..., Visit]) -> None:
    seen = visit("en-US")
    seen.go("/")
    seen.page.click("#language")
    seen.page.wait_for_selector("text=谁已共署")
    seen.go("/blocks")
    assert "区块" in seen.text("h1")


def test_overview_shows_who_cosigned_and_charts(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.go("/")
    text = seen.text()
    assert "cosigned by 4 of 4 nodes" in text
    for title in ("Data Resources Administration", "Human Resources Bureau"):
        assert title in text
    assert re.search(r"Anchor of a credential\s+600", text)
    assert len(seen.page.query_selector_all(".chart .bar.anchor")) == 3
    seen.page.click("text=Show as a table")
    assert len(seen.page.query_selector_all(".chart tbody tr")) == 3


@pytest.mark.parametrize("number", [0, 411, 599])
def test_look_up_of_an_anchor_is_verified_in_view(
    visit: Callable[..., Visit], town: Town, number: int
) -> None:
    seen = visit()
    text = multibase_base64(anchor(number))
    leaf = anchor_leaf_hash(town.issuer.did, anchor(number)).hex()
    # Log, four nodes, quorum, commitment, entry; the second time also: the chain seen before.
    for query, count in ((text, 8), (leaf, 9)):
        assert seen.look_up(query) == "good"
        assert len(seen.page.query_selector_all(".steps > li.good")) == count
        assert text in seen.text("pre")
    assert seen.complaints == []


def test_look_up_of_a_pasted_credential_sends_no_part_of_it(
    visit: Callable[..., Visit], town: Town
) -> None:
    value = b"\xd9\x5d\x00\x85\x58\x40" + bytes(64)
    credential = {
        "credentialSubject": {"name": "王小明"},
        "proof": {"cryptosuite": "ecdsa-sd-2023", "proofValue": multibase_base64(value)},
    }
    known = sha256(b"zhenglian/anchor/v1\x00" + bytes(64)).digest()
    chain, issuer = town.chain, town.issuer
    chain.client.submit(
        chain.genesis.identity_origin,
        [anchor_entry(issuer.did, known)],
        issuer.key,
        issuer.key_url,
    )
    chain.settle()
    seen = visit()
    town.proxy.paths.clear()
    assert seen.look_up(json.dumps(credential, ensure_ascii=False)) == "good"
    asked = " ".join(town.proxy.paths)
    assert "王" not in asked and multibase_base64(value)[:20] not in asked
    assert any(anchor_leaf_hash(issuer.did, known).hex() in path for path in town.proxy.paths)


def test_look_up_of_a_digest_on_a_credential(visit: Callable[..., Visit], town: Town) -> None:
    schema = next(
        entry
        for entry in town.chain.client.entries(town.chain.genesis.origin, 0, 16)
        if entry.kind == "resource" and entry["role"] == "schema"
    )
    seen = visit()
    assert seen.look_up(schema["digest"]) == "good"
    assert schema["url"] in seen.text("pre")


def test_what_is_not_there_and_what_is_unclear(visit: Callable[..., Visit]) -> None:
    seen = visit()
    assert seen.look_up("00" * 32) == "none"
    assert "unproved" in seen.text(".verdict")
    seen.look_up("what is this")
    assert "no form that is known" in seen.text(".verdict")
    seen.go("/entry/identity/999999")
    assert "no such entry" in seen.text()
    seen.go("/nowhere")
    assert "no such page" in seen.text("h1")


def test_a_block_shows_what_it_commits_to(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.go("/blocks")
    seen.page.click("tbody a >> nth=0")
    seen.page.wait_for_selector("[data-verdict=good]")
    assert "lead to the recorded subtree hash" in seen.text()


# Tampering. The proxy plays a dishonest server.


def flip(pattern: str, position: int = 40) -> Change:
    def change(path: str, data: bytes) -> bytes:
        if not re.search(pattern, path):
            return data
        changed = bytearray(data)
        changed[position % len(changed)] ^= 1
        return bytes(changed)

    return change


def drop_cosignatures(names: tuple[str, ...]) -> Change:
    def change(path: str, data: bytes) -> bytes:
        if not path.endswith(("/checkpoint", "/cosigned")):
            return data
        lines = data.decode().split("\n")
        kept = [line for line in lines if not any(f"/nodes/{name} " in line for name in names)]
        return "\n".join(kept).encode()

    return change


def forge_cosignature(path: str, data: bytes) -> bytes:
    if not path.endswith(("/checkpoint", "/cosigned")):
        return data
    lines = data.decode().split("\n")
    # The Ed25519 one: those of ML-DSA-44 are longer, and not every browser checks them.
    at = max(i for i, line in enumerate(lines) if "/nodes/" in line and len(line) < 300)
    head, body = lines[at][:-8], lines[at][-8:]
    lines[at] = head + ("A" if body[0] != "A" else "B") + body[1:]
    return "\n".join(lines).encode()


def change_entry(path: str, data: bytes) -> bytes:
    return data.replace(b'"kind":"anchor"', b'"kind":"ancho2"') if "/entries/" in path else data


def other_size(path: str, data: bytes) -> bytes:
    if not path.endswith(("/checkpoint", "/cosigned")):
        return data
    return re.sub(rb"(/main\n)(\d+)\n", lambda m: m[1] + str(int(m[2]) - 1).encode() + b"\n", data)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (flip(r"/identity/tile/0/"), "a tile was changed"),
        (flip(r"/main/tile/0/"), "does not lead to the main checkpoint's root"),
        (flip(r"/identity/tile/1/"), None),  # not read for a tree of this size, or caught
        (change_entry, "the entry or a tile was changed"),
        (drop_cosignatures(("data-resources", "public-security")), "there is no quorum"),
        (forge_cosignature, "cosignature of"),
        (other_size, "no valid signature of the log key"),
    ],
)
def test_a_dishonest_server_is_shown_as_one(
    visit: Callable[..., Visit], town: Town, change: Change, reason: str | None
) -> None:
    seen = visit()
    town.proxy.change = change
    verdict = seen.look_up(multibase_base64(anchor(300)))
    if reason is None:
        asked = any("/identity/tile/1/" in path for path in town.proxy.paths)
        assert verdict == ("bad" if asked else "good")
        return
    assert verdict == "bad"
    assert "Verification failed" in seen.text()
    assert reason in seen.text()
    assert not seen.page.query_selector("[data-verdict=good]")


def test_one_node_missing_is_shown_and_is_no_failure(
    visit: Callable[..., Visit], town: Town
) -> None:
    seen = visit()
    town.proxy.change = drop_cosignatures(("public-security",))
    seen.go("/")
    assert "cosigned by 3 of 4 nodes" in seen.text()
    assert "has not cosigned this checkpoint" in seen.text()
    assert not seen.page.query_selector(".verdict.bad")


def test_a_forged_rule_is_not_listed_as_one(visit: Callable[..., Visit], town: Town) -> None:
    forged = make_entry(
        "resource", role="schema", url="https://forged.example/", digest="uEi" + "C" + "A" * 43
    )

    def change(path: str, data: bytes) -> bytes:
        if not path.endswith("/api/rules"):
            return data
        told = json.loads(data)
        if told["rules"]:
            told["rules"][-1]["entry"] = forged.raw.decode()
        return json.dumps(told).encode()

    seen = visit()
    town.proxy.change = change
    seen.go("/rules")
    assert "1 rules that the server lists do not stand" in seen.text()
    assert "forged.example" not in seen.text()


def test_markup_in_entries_stays_text(visit: Callable[..., Visit], town: Town) -> None:
    def change(path: str, data: bytes) -> bytes:
        if not path.endswith("/blocks"):
            return data
        told = json.loads(data)
        told["blocks"][0]["origin"] = "x/<img src=x onerror=alert(1)>"
        return json.dumps(told).encode()

    seen = visit()
    town.proxy.change = change
    seen.go("/blocks")
    assert "<img src=x" in seen.text()
    assert not seen.page.query_selector("main img")
    assert seen.complaints == []


def test_own_genesis_takes_the_place_of_the_servers(
    visit: Callable[..., Visit], town: Town, tmp_path: Path
) -> None:
    own = tmp_path / "genesis.json"
    own.write_bytes(town.chain.genesis.entry.raw + b"\n")
    other = tmp_path / "other.json"
    with Consortium(tmp_path / "other", network="other.example") as elsewhere:
        other.write_bytes(elsewhere.genesis.entry.raw + b"\n")
    seen = visit()
    seen.go("/trust")
    seen.page.set_input_files("#own", own)
    seen.page.wait_for_selector(".verdict.good")
    seen.page.set_input_files("#own", other)
    seen.page.wait_for_selector(".verdict.bad")
    assert "another network, or a false one" in seen.text()
    seen.follow("nav >> text=Overview", "/")
    assert seen.page.query_selector("main .verdict.unknown")
    assert not seen.page.query_selector(".badge.good")


def test_own_genesis_counts_also_when_the_server_shows_none(
    visit: Callable[..., Visit], town: Town, tmp_path: Path
) -> None:
    own = tmp_path / "genesis.json"
    own.write_bytes(town.chain.genesis.entry.raw + b"\n")
    seen = visit()
    seen.go("/trust")
    assert "from this server" in seen.text()
    seen.page.route("**/genesis", lambda route: route.abort())
    seen.page.set_input_files("#own", own)
    seen.page.wait_for_selector(".verdict.unknown")
    assert "could not be compared" in seen.text()
    assert "loaded by you" in seen.text()
    seen.follow("nav >> text=Overview", "/")
    assert "Verified in your browser" in seen.text()


def test_a_genesis_may_be_as_large_as_the_registry_allows(
    visit: Callable[..., Visit], town: Town, tmp_path: Path
) -> None:
    raw = town.chain.genesis.entry.raw
    largest, larger = tmp_path / "largest.json", tmp_path / "larger.json"
    largest.write_bytes(raw + b" " * (MAX_GENESIS_BYTES - len(raw)) + b"\n")
    larger.write_bytes(raw + b" " * (MAX_GENESIS_BYTES - len(raw)) + b"\n\n")
    seen = visit()
    seen.go("/trust")
    seen.page.set_input_files("#own", larger)
    seen.page.wait_for_selector(".verdict.unknown")
    seen.page.set_input_files("#own", largest)
    seen.page.wait_for_selector(".verdict.bad")  # another digest than the server's


# What was seen before


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Any, Any]]:
    """Two histories under one genesis, both with the quorum's true keys, behind one address."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator, "START", start)
        with (
            Consortium(tmp_path_factory.mktemp("first"), start=start) as first,
            Consortium(tmp_path_factory.mktemp("second"), start=start) as second,
        ):
            assert first.genesis.entry.raw == second.genesis.entry.raw
            for chain, did in ((first, "did:web:one.example"), (second, "did:web:two.example")):
                chain.add_issuer(did)
                chain.settle()
            yield Proxy(None), first, second


def size(chain: Consortium) -> int:
    return chain.client.cosigned().size


def schema_rule(number: int) -> Entry:
    url = f"https://schemas.example/{number}"
    return make_entry("resource", role="schema", url=url, digest=document_digest({}))


def overview(seen: Visit) -> str:
    seen.go("/")
    if summary := seen.page.query_selector("summary >> text=What was verified, step by step"):
        summary.click()
    return seen.text()


def test_a_history_rewritten_by_a_quorum_is_seen_on_the_next_visit(
    visit: Callable[..., Visit], town: Town, rewritten: tuple[Proxy, Any, Any]
) -> None:
    proxy, first, second = rewritten
    proxy.app = first.transport.apps["registry.invalid"]
    with listening(proxy) as url:
        seen, other = visit(), visit()
        seen.town = other.town = Town(first, town.issuer, proxy, url)
        assert "Verified in your browser" in overview(seen)
        first.add_issuer("did:web:three.example")
        first.settle()
        grown = size(first)
        assert "It is the chain that this browser saw before" in overview(seen)
        proxy.app = second.transport.apps["registry.invalid"]
        assert size(second) < grown
        for more in (0, 1, 1, 300):  # shorter than what was seen, as long, longer, another tile
            if more:
                second.govern(*[schema_rule(size(second) + at) for at in range(more)])
            assert "saw another chain" in overview(seen)
            assert not seen.page.query_selector(".badge.good")
        # Who sees only the second history has nothing to compare it with ...
        assert "Verified in your browser" in overview(other)
        # ... and who has seen the first one may decide to start again.
        seen.go("/trust")
        assert re.search(rf"entries\s+{grown}\b", seen.text())
        seen.page.click("text=Forget it")
        seen.page.wait_for_selector("text=Nothing yet.")
        assert "Verified in your browser" in overview(seen)


def test_a_server_that_is_behind_is_said_to_be(
    visit: Callable[..., Visit], town: Town, rewritten: tuple[Proxy, Any, Any]
) -> None:
    proxy, first, _ = rewritten
    proxy.app = first.transport.apps["registry.invalid"]
    with listening(proxy) as url:
        seen = visit()
        seen.town = Town(first, town.issuer, proxy, url)
        held: dict[str, bytes] = {}
        proxy.change = lambda path, data: (
            held.setdefault(path, data) if path.endswith("/checkpoint") else data
        )
        overview(seen)
        first.govern(schema_rule(0))
        first.settle()
        proxy.change = None
        assert "It is the chain that this browser saw before" in overview(seen)
        # The old answers again, and none for what only the longer chain has.
        proxy.change = held.get
        longer = f"/000.p/{size(first)}"
        seen.page.route(
            re.compile(r"/main/tile/"),
            lambda route: (
                route.fulfill(status=404)
                if route.request.url.endswith(longer)
                else route.continue_()
            ),
        )
        text = overview(seen)
        assert "it is behind, or it holds newer entries back" in text
        assert "Verified in your browser" in text


def test_the_memory_stays_small_and_believes_no_line_out_of_form(
    visit: Callable[..., Visit],
) -> None:
    seen = visit()
    seen.go("/")
    sizes, after = seen.page.evaluate(
        """async () => {
          const { Memory } = await import("./memory.js");
          const memory = new Memory("test");
          const root = new Uint8Array(32);
          for (let size = 1; size <= 1000; size += 1) memory.keep({ size, root, time: size });
          memory.keep({ size: 500, root, time: 1 });
          const sizes = memory.read().map((state) => state.size);
          localStorage.setItem("zl-seen test", "7 xyz 1\\n-1\\n" + "9 " + "00".repeat(32) + " 5");
          return [sizes, memory.read().map((state) => state.size)];
        }"""
    )
    assert len(sizes) <= 64
    assert sizes == sorted(sizes) and sizes[0] == 1 and sizes[-1] == 1000
    assert after == [9]


# A slow server


def test_no_mark_of_one_page_stands_under_the_address_of_another(
    visit: Callable[..., Visit],
) -> None:
    seen = visit()
    seen.go("/entry/identity/5")
    assert seen.page.query_selector("[data-verdict=good]")
    gate = Gate()
    seen.page.route("**/identity/cosigned*", gate.meet)
    with seen.page.expect_request("**/identity/cosigned*"):
        seen.page.click(".pager >> nth=-1 >> text=Next")
    assert seen.text() == "Reading and verifying…"
    gate.open()
    seen.wait("/entry/identity/6")
    assert seen.page.query_selector("[data-verdict=good]")


def test_a_late_answer_does_not_stand_under_a_newer_question(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.go("/lookup")
    gate = Gate()
    seen.page.route("**/identity/cosigned*", gate.meet)
    seen.page.fill("#query", "identity:3")
    with seen.page.expect_request("**/identity/cosigned*"):
        seen.page.click("button.primary")
    seen.page.fill("#query", "what is this")
    seen.page.click("button.primary")
    seen.page.wait_for_selector("text=no form that is known")
    gate.open()
    seen.quiet()
    assert "no form that is known" in seen.text(".verdict")
    assert not seen.page.query_selector("[data-verdict]")


def test_a_server_without_an_end_is_not_waited_for(visit: Callable[..., Visit], town: Town) -> None:
    seen = visit()
    seen.page.add_init_script(
        """const timeout = AbortSignal.timeout;
        AbortSignal.timeout = (patience) => timeout.call(AbortSignal, patience / 50);"""
    )
    seen.page.route("**/blocks*", lambda route: None)
    seen.go("/blocks")
    assert "The server did not answer" in seen.text()
    seen.page.unroute_all(behavior="ignoreErrors")
    seen = visit()  # with all its patience: nothing but the size may be what it ends at
    town.proxy.change = lambda path, data: data + b" " * 2**23 if path.endswith("/blocks") else data
    seen.go("/blocks")
    assert "The server's answer is not in form" in seen.text()


def test_rules_without_an_end_are_refused(visit: Callable[..., Visit], town: Town) -> None:
    number = 0

    def change(path: str, data: bytes) -> bytes:
        nonlocal number
        if not path.endswith("/api/rules"):
            return data
        rules = [{"index": number + at, "entry": '{"kind":"x"}'} for at in range(5000)]
        number += 5000
        return json.dumps({"rules": rules}).encode()

    seen = visit()
    town.proxy.change = change
    seen.go("/rules")
    assert "The server's answer is not in form" in seen.text()


# For everybody


def test_narrow_screens_need_no_sideways_scrolling(visit: Callable[..., Visit]) -> None:
    seen = visit("zh-CN", width=360)
    for fragment in (*PAGES, "/entry/identity/5"):
        seen.go(fragment)
        beyond = seen.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert beyond <= 0, fragment


def test_keyboard_and_names(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.go("/")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    seen.page.focus("nav a >> nth=1")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector("#query")
    seen.page.focus("#query")
    seen.page.keyboard.type("identity:3")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector("[data-verdict=good]")
    nameless = seen.page.evaluate(
        """() => [...document.querySelectorAll("a, button, textarea, svg[role=img], table")]
        .filter((e) => !(e.textContent.trim() || e.ariaLabel || e.labels?.length)).length"""
    )
    assert nameless == 0
    assert seen.page.evaluate("document.querySelectorAll('h1').length") == 1
    assert seen.page.get_attribute("nav a[aria-current=page]", "href") == "#/lookup"


CONTRAST = """() => {
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255).map((v) =>
      v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const found = numbers(getComputedStyle(e).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || element.closest("svg, .hidden, .skip") || !element.offsetParent) continue;
    const a = luminance(numbers(getComputedStyle(element).color).slice(0, 3));
    const b = luminance(ground(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName} ${element.className} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(visit: Callable[..., Visit], scheme: str) -> None:
    seen = visit(scheme=scheme)
    for fragment in ("/", "/rules", "/entry/identity/5", "/trust"):
        seen.go(fragment)
        assert seen.page.evaluate(CONTRAST) == [], fragment


def test_the_page_is_locked_down(visit: Callable[..., Visit], town: Town) -> None:
    seen = visit()
    answer = seen.page.goto(f"{town.url}/explorer/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "'unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    blocked = seen.page.evaluate(
        "fetch('http://127.0.0.1:9/').then(() => 'reached', () => 'refused')"
    )
    assert blocked == "refused"
    assert any("Content Security Policy" in said for said in seen.complaints)


def test_every_text_is_there_in_both_languages(visit: Callable[..., Visit]) -> None:
    seen = visit()
    seen.go("/")
    poor = seen.page.evaluate(
        """async () => {
          const { TEXTS } = await import("./texts.js");
          const names = (text) => [...text.matchAll(/\\{(\\w+)\\}/g)].map((m) => m[1]);
          const fields = (text) => names(text).sort().join();
          return Object.entries(TEXTS)
            .filter(([, [zh, en]]) => !zh || !en || fields(zh) !== fields(en))
            .map(([key]) => key);
        }"""
    )
    assert poor == []


def test_a_node_serves_the_same_page_from_its_own_copy(
    visit: Callable[..., Visit], town: Town
) -> None:
    proxy = Proxy(town.chain.transport.apps["public-security.invalid"])
    with listening(proxy) as url:
        seen = visit()
        seen.town = Town(town.chain, town.issuer, proxy, url)
        assert seen.look_up(multibase_base64(anchor(123))) == "good"
        seen.go("/")
        assert "Verified in your browser" in seen.text()
        assert seen.complaints == []
        assert seen.hosts == {url.split("/")[2]}
        proxy.change = flip(r"/identity/tile/0/")
        assert seen.look_up(multibase_base64(anchor(123))) == "bad"
