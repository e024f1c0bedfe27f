"""The authority over real HTTPS on loopback, and the client that trusts only its pins."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from credentials.jose import parse_compact, sign_compact
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey, PublicKey
from issuer.authority import home as authority_home
from issuer.authority.client import AuthorityClient
from issuer.authority.errors import (
    AuthorityBusy,
    AuthorityCertificateWrong,
    AuthoritySignatureWrong,
    AuthorityUnreachable,
    QuestionClockWrong,
    QuestionForged,
    QuestionMalformed,
    QuestionReplayed,
)
from issuer.authority.ledger import (
    FAILURES_PER_ISSUER,
    FAILURES_PER_PERSON,
    PERSON_WINDOW,
)
from issuer.authority.messages import (
    ANSWER_MEDIA,
    ANSWER_TYPE,
    CLOCK_SKEW,
    FIELDS,
    MAX_MESSAGE,
    PURPOSES,
    REQUEST_MEDIA,
    REQUEST_TYPE,
    build_question,
    new_request_id,
)
from issuer.authority.server import AuthorityServer
from schemas.digests import digest_multibase
from tests.waiting import PATIENCE_S

PASSPHRASE = "correct horse battery staple"
ISSUER = "did:web:data.hangzhou.example"
ISSUER_KEY = PrivateKey.from_seed("Ed25519", b"the issuer's test key")
START = datetime(2026, 11, 22, 8, 0, 0, tzinfo=UTC)


class Hands:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Running:
    """An open authority and what an issuer pins of it; it serves once its URL is asked for."""

    def __init__(self, home: Path, hands: Hands) -> None:
        self.home = home
        self.hands = hands
        self.facts = authority_home.public_facts(home)
        self._opened = authority_home.open_authority(home, PASSPHRASE, clock=hands)
        self.authority = self._opened.authority
        self.people = [r.as_json() for r in self.authority.register.sample(10)]
        self._server: AuthorityServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        if self._server is None:
            self._server = AuthorityServer(self._opened)
            ready = threading.Event()
            self._thread = threading.Thread(
                target=self._server.run, args=(lambda _url: ready.set(),)
            )
            self._thread.start()
            assert ready.wait(PATIENCE_S)
        return self._server.url

    def close(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(PATIENCE_S)
            assert not self._thread.is_alive()
        self._opened.close()

    def client(self, **changes: Any) -> AuthorityClient:
        settings: dict[str, Any] = {
            "url": self.url,
            "certificate": self.home / authority_home.CERTIFICATE_FILE,
            "issuer": ISSUER,
            "signer": ISSUER_KEY,
            "key_url": f"{ISSUER}#status",
            "authority": self.facts.did,
            "authority_key": PublicKey.from_multikey(self.facts.key),
            "clock": self.hands,
        }
        return AuthorityClient(**{**settings, **changes})

    def question(self, person: dict[str, str] | None = None, **changes: Any) -> str:
        settings: dict[str, Any] = {
            "issuer": ISSUER,
            "authority": self.facts.did,
            "request_id": new_request_id(os.urandom(16)),
            "purpose": PURPOSES[0],
            "at": self.hands(),
            "signer": ISSUER_KEY,
            "key_url": f"{ISSUER}#status",
        }
        return build_question(person or self.people[0], **{**settings, **changes})

    def signed(self, payload: dict[str, Any]) -> str:
        return sign_compact(payload, typ=REQUEST_TYPE, signer=ISSUER_KEY, kid=f"{ISSUER}#status")

    def payload(self, **changes: Any) -> dict[str, Any]:
        return {**dict(parse_compact(self.question()).payload), **changes}

    def post(self, body: str | bytes, **headers: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=self.home / authority_home.CERTIFICATE_FILE)
        with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE_S) as http:
            return http.post(
                self.url + "/verify",
                content=body,
                headers={"Content-Type": REQUEST_MEDIA, **headers},
            )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `init` leaves it; copied for every test that changes it."""
    folder = tmp_path_factory.mktemp("made") / "authority"
    authority_home.create(folder, PASSPHRASE, seed="test", residents=10_000, cost=COST_FLOOR)
    return folder


@pytest.fixture
def running(made: Path, tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "authority"
    folder.mkdir(mode=0o700)
    for item in made.iterdir():
        (folder / item.name).write_bytes(item.read_bytes())
    found = Running(folder, Hands())
    found.authority.ledger.authorise(ISSUER, ISSUER_KEY.public_key, at=START)
    try:
        yield found
    finally:
        found.close()


# --- the answer ---------------------------------------------------------------------------------


def test_true_data_is_confirmed_and_false_data_is_not(running: Running) -> None:
    with running.client() as client:
        answer = client.check(running.people[0])
        assert answer.passed is True
        assert answer.authority == running.facts.did
        assert answer.checked_at == START
        assert answer.reply_digest == digest_multibase(answer.reply.encode())
        for name in FIELDS:
            other = next(p[name] for p in running.people if p[name] != running.people[0][name])
            assert client.check({**running.people[1], name: other}).passed is (
                other == running.people[1][name]
            )


def test_the_answer_holds_no_personal_value(running: Running) -> None:
    with running.client() as client:
        reply = client.check(running.people[0]).reply
    payload = parse_compact(reply).payload
    assert set(payload) == {"iss", "aud", "jti", "iat", "requestDigest", "pass"}
    text = json.dumps(payload, ensure_ascii=False)
    assert not any(value in text for value in running.people[0].values() if len(value) > 1)


def test_yes_and_no_look_alike_but_for_the_word(running: Running) -> None:
    yes = running.post(running.question())
    no = running.post(running.question({**running.people[0], "name": "无此人"}))
    assert (yes.status_code, no.status_code) == (200, 200)
    assert yes.headers["Content-Type"] == no.headers["Content-Type"] == ANSWER_MEDIA
    assert set(yes.headers) == set(no.headers)
    assert "server" not in yes.headers


def test_every_question_is_another(running: Running) -> None:
    with running.client() as client:
        digests = {client.check(running.people[0]).reply_digest for _ in range(3)}
    assert len(digests) == 3


# --- what the client does not trust -------------------------------------------------------------


def test_a_server_with_another_certificate_is_not_asked(running: Running, tmp_path: Path) -> None:
    certificate, _ = authority_home._self_signed((), datetime.now(UTC), "x")
    other = tmp_path / "other.pem"
    other.write_bytes(certificate)
    with running.client(certificate=other) as client, pytest.raises(AuthorityCertificateWrong):
        client.check(running.people[0])
    assert running.authority.ledger.tallies() == []


def test_a_certificate_for_another_name_is_not_trusted(running: Running) -> None:
    port = running.url.rpartition(":")[2]
    strict = ssl.create_default_context(cafile=running.home / "certificate.pem")
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("127.0.0.1", int(port))) as plain,
        strict.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.version() == "TLSv1.3"
    with (
        socket.create_connection(("127.0.0.1", int(port))) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        strict.wrap_socket(plain, server_hostname="elsewhere.example")


def test_a_certificate_file_that_is_none_is_named(running: Running, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "empty.pem", tmp_path / "absent.pem"):
        with pytest.raises(AuthorityCertificateWrong):
            running.client(certificate=path)


def test_an_answer_by_another_key_is_not_trusted(running: Running) -> None:
    other = PrivateKey.generate("Ed25519").public_key
    with running.client(authority_key=other) as client, pytest.raises(AuthoritySignatureWrong):
        client.check(running.people[0])


def test_nobody_there_is_unreachable(running: Running) -> None:
    with socket.socket() as reserved:  # and not listening, so that nobody else is there, either
        reserved.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{reserved.getsockname()[1]}"
        with running.client(url=url) as client, pytest.raises(AuthorityUnreachable):
            client.check(running.people[0])


def test_a_silent_server_is_unreachable_in_time(running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with (
            running.client(url=url, timeout_seconds=0.2) as client,
            pytest.raises(AuthorityUnreachable),
        ):
            client.check(running.people[0])


def test_a_proxy_from_the_environment_is_not_used(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with running.client() as client:
        assert client.check(running.people[0]).passed


# --- what the authority does not answer ---------------------------------------------------------


def test_a_question_is_answered_once(running: Running) -> None:
    question = running.question()
    assert running.post(question).status_code == 200
    again = running.post(question)
    assert (again.status_code, again.json()) == (409, {"error": "replayed"})
    # The same id in a question signed anew is the same question.
    payload = dict(parse_compact(question).payload)
    assert running.post(running.signed({**payload, "person": running.people[1]})).status_code == 409


def test_a_question_is_not_answered_twice_at_the_same_moment(running: Running) -> None:
    question = running.question()
    outcomes: list[str] = []

    def ask() -> None:
        try:
            running.authority.answer(question)
            outcomes.append("answered")
        except QuestionReplayed:
            outcomes.append("replayed")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["answered"] + ["replayed"] * 7


def test_what_was_asked_is_remembered_across_restarts(running: Running) -> None:
    question = running.question()
    running.authority.answer(question)
    with (
        authority_home.open_authority(running.home, PASSPHRASE, clock=running.hands) as second,
        pytest.raises(QuestionReplayed),
    ):
        second.authority.answer(question)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400, -(10**9)])
def test_stale_and_future_questions_are_refused(running: Running, seconds: int) -> None:
    with pytest.raises(QuestionClockWrong):
        running.authority.answer(running.question(at=START + timedelta(seconds=seconds)))
    assert running.authority.ledger.tallies() == []


@pytest.mark.parametrize("sign", [-1, 1])
def test_clocks_may_differ_a_little(running: Running, sign: int) -> None:
    assert running.authority.answer(running.question(at=START + sign * CLOCK_SKEW))


def test_a_stranger_is_refused_whatever_is_wrong(running: Running) -> None:
    stranger = PrivateKey.generate("Ed25519")
    other = "did:web:other.example"
    refused = [
        running.question(signer=stranger),
        running.question(issuer=other, key_url=f"{other}#status", signer=stranger),
        running.question(key_url=f"{other}#status"),
        running.question(issuer=other),
        running.question(authority="did:web:another-authority.example"),
        running.question(key_url="no key"),
        running.question(key_url=ISSUER),
        sign_compact(running.payload(), typ=REQUEST_TYPE, signer=ISSUER_KEY),
        sign_compact({"anything": 1}, typ=REQUEST_TYPE, signer=stranger, kid=f"{ISSUER}#status"),
    ]
    answers = {(running.post(q).status_code, running.post(q).text) for q in refused}
    assert answers == {(401, '{"error":"unauthorized"}')}
    assert running.authority.ledger.tallies() == []


def test_a_key_that_was_replaced_asks_no_more(running: Running) -> None:
    new = PrivateKey.generate("P-256")
    running.authority.ledger.authorise(ISSUER, new.public_key, at=START)
    with pytest.raises(QuestionForged):
        running.authority.answer(running.question())
    assert running.authority.answer(running.question(signer=new))


def test_an_altered_question_is_refused(running: Running) -> None:
    head, body, signature = running.question().split(".")
    other = running.question().split(".")[1]
    with pytest.raises(QuestionForged):
        running.authority.answer(f"{head}.{other}.{signature}")
    with pytest.raises(QuestionForged):
        running.authority.answer(f"{head}.{body}.{'A' * 86}")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"jti": "short"}, "/jti"),
        ({"jti": 5}, "/jti"),
        ({"jti": "A" * 21 + "\n"}, "/jti"),
        ({"iat": 1.5}, "/iat"),
        ({"iat": True}, "/iat"),
        ({"iat": "now"}, "/iat"),
        ({"purpose": "because 王小明 asked"}, "/purpose"),
        ({"purpose": ["x"]}, "/purpose"),
        ({"iss": None}, "/iss"),
        ({"aud": 1}, "/aud"),
        ({"person": "王小明"}, "/person"),
        ({"person": {}}, "/person"),
        ({"more": 1}, "/"),
    ],
)
def test_malformed_questions_name_the_place(
    running: Running, change: dict[str, Any], place: str
) -> None:
    with pytest.raises(QuestionMalformed) as caught:
        running.authority.answer(running.signed(running.payload(**change)))
    assert caught.value.params == {"field": place}


@pytest.mark.parametrize(
    ("field_name", "value"),
    [
        ("name", ""),
        ("name", "王" * 61),
        ("name", ["王"]),
        ("citizenNumber", "330198199001010000"),
        ("birthDate", "1990-02-30"),
        ("division", 330106),
    ],
)
def test_malformed_people_are_refused_without_their_values(
    running: Running, field_name: str, value: object
) -> None:
    person = {**running.people[0], field_name: value}
    with pytest.raises(QuestionMalformed) as caught:
        running.authority.answer(running.signed(running.payload(person=person)))
    assert caught.value.params == {"field": f"/person/{field_name}"}
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("missing", FIELDS)
def test_fields_cannot_be_asked_one_by_one(running: Running, missing: str) -> None:
    person = {k: v for k, v in running.people[0].items() if k != missing}
    with pytest.raises(QuestionMalformed):
        running.authority.answer(running.signed(running.payload(person=person)))


def test_http_refuses_what_is_no_question(running: Running) -> None:
    assert running.post("").status_code == 400
    assert running.post("是".encode()).status_code == 400
    assert running.post(b"x" * (MAX_MESSAGE + 1)).status_code == 413
    wrong_type = {"Content-Type": "application/json"}
    assert running.post(running.question(), **wrong_type).status_code == 415
    answer_as_question = sign_compact(
        running.payload(), typ=ANSWER_TYPE, signer=ISSUER_KEY, kid=f"{ISSUER}#status"
    )
    assert running.post(answer_as_question).status_code == 400
    context = ssl.create_default_context(cafile=running.home / "certificate.pem")
    with httpx.Client(
        base_url=running.url, verify=context, trust_env=False, timeout=PATIENCE_S
    ) as http:
        assert http.get("/verify").status_code == 405
        assert http.get("/openapi.json").status_code == 404
        assert http.get("/docs").status_code == 404
        assert http.get("/health").json() == {"status": "ok", "authority": running.facts.did}


# --- limits -------------------------------------------------------------------------------------


def test_guessing_about_one_person_is_stopped(running: Running) -> None:
    person = running.people[0]
    with running.client() as client:
        for _ in range(FAILURES_PER_PERSON):
            assert not client.check({**person, "name": "无此人"}).passed
        # Now even the truth is not answered, so a guess cannot be recognised.
        with pytest.raises(AuthorityBusy) as caught:
            client.check(person)
        assert caught.value.params == {"seconds": int(PERSON_WINDOW.total_seconds())}
        assert isinstance(caught.value, AuthorityUnreachable)
        assert client.check(running.people[1]).passed
        running.hands.now += PERSON_WINDOW
        assert client.check(person).passed


def test_right_answers_are_not_limited(running: Running) -> None:
    for _ in range(FAILURES_PER_PERSON * 3):
        running.authority.answer(running.question())
    assert [(t.outcome, t.count) for t in running.authority.ledger.tallies()] == [
        ("pass", FAILURES_PER_PERSON * 3)
    ]


def test_one_issuer_cannot_use_up_the_patience_for_another(running: Running) -> None:
    other = "did:web:other.example"
    running.authority.ledger.authorise(other, ISSUER_KEY.public_key, at=START)
    for _ in range(FAILURES_PER_PERSON):
        running.authority.answer(running.question({**running.people[0], "name": "无此人"}))
    assert running.authority.answer(running.question(issuer=other, key_url=f"{other}#status"))


def test_walking_through_the_register_is_stopped(running: Running) -> None:
    ledger = running.authority.ledger
    with ledger._transaction() as connection:
        connection.executemany(
            "INSERT INTO failures VALUES (?, ?, ?)",
            [(ISSUER, b"%d" % n, int(START.timestamp())) for n in range(FAILURES_PER_ISSUER)],
        )
    with running.client() as client, pytest.raises(AuthorityBusy):
        client.check(running.people[0])


def test_an_interrupted_question_counts_as_a_failed_guess(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_person: object) -> bool:
        raise KeyboardInterrupt

    authority = running.authority
    with monkeypatch.context() as patch:
        patch.setattr(authority.register, "matches", crash)
        for _ in range(FAILURES_PER_PERSON):
            with pytest.raises(KeyboardInterrupt):
                authority.answer(running.question())
    with running.client() as client, pytest.raises(AuthorityBusy):
        client.check(running.people[0])


# --- what is kept -------------------------------------------------------------------------------


def test_nothing_personal_is_logged_or_kept(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person = running.people[0]
    with running.client() as client:
        client.check(person)
        client.check({**person, "name": "无此人"})
    running.post(running.signed(running.payload(person={**person, "birthDate": "never"})))
    running.authority.ledger.close()
    kept = b"".join(p.read_bytes() for p in running.home.glob("ledger.sqlite*"))
    number, name = person["citizenNumber"], person["name"]
    for secret in (number, name, "无此人", person["birthDate"]):
        assert secret.encode() not in kept
        assert secret not in caplog.text
    for digest in ("sha256", "sha1", "md5"):
        assert hashlib.new(digest, number.encode()).digest() not in kept
    assert ISSUER.encode() in kept


def test_a_full_disk_is_no_answer_and_leaves_no_mark(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = running.authority.ledger
    pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    ledger._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for n in range(10_000):  # fill what is left of the last pages
            ledger._connection.execute(
                "INSERT INTO failures VALUES (?, ?, ?)", ("x", b"%d" % n, 2**40)
            )
    with running.client() as client, pytest.raises(AuthorityUnreachable):
        for _ in range(50):
            client.check(running.people[0])
    assert "ZL-AUTHORITY-STORE" in caplog.text
    ledger._connection.execute(f"PRAGMA max_page_count={pages + 1000}")
    with running.client() as client:
        assert client.check(running.people[0]).passed


def test_a_damaged_register_is_no_answer(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.authority.register.close()
    with running.client() as client, pytest.raises(AuthorityUnreachable):
        client.check(running.people[0])
