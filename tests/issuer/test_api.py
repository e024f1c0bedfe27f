"""The HTTP face: a real server on the loopback, a real authority over HTTPS behind it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn

from credentials.dids import DidDocument, DocumentResolver, did_key
from credentials.jose import sign_compact
from credentials.keyfile import COST_FLOOR
from credentials.keys import PrivateKey
from credentials.proofs import verify_credential
from credentials.status import parse_status_list
from issuer import api, enrolment
from issuer.api import build_api
from issuer.authority.home import CERTIFICATE_FILE, create, open_authority, read_issuer_key
from issuer.authority.register import LEAST_SIZE
from issuer.authority.server import AuthorityServer
from issuer.authority.service import Authority
from issuer.metadata import well_known
from issuer.server import Worker
from issuer.service import Issuer
from issuer.settings import AUTHORITY_CLIENT_FILE, AuthoritySettings, Settings
from issuer.times import system_clock
from registry.ledger.genesis import Genesis
from tests.waiting import PATIENCE_S, until

GRANT = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


@dataclass(frozen=True)
class People:
    """A running authority: where it is, what to pin of it, and some of its residents."""

    url: str
    certificate: bytes
    did: str
    key: str
    residents: list[dict[str, str]]
    authority: Authority


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    home = tmp_path_factory.mktemp("authority")
    facts = create(home, "correct horse", seed="api", residents=LEAST_SIZE)
    with open_authority(home, "correct horse") as opened:
        server = AuthorityServer(opened, port=0)
        listening: list[str] = []
        told = threading.Event()

        def announce(url: str) -> None:
            listening.append(url)
            told.set()

        thread = threading.Thread(target=server.run, args=(announce,))
        thread.start()
        assert told.wait(PATIENCE_S)
        yield People(
            url=listening[0],
            certificate=(home / CERTIFICATE_FILE).read_bytes(),
            did=facts.did,
            key=facts.key,
            residents=[r.as_json() for r in opened.authority.register.sample(24)],
            authority=opened.authority,
        )
        server.stop()
        thread.join(10)


class Served:
    """An issuer behind a real server, and a wallet's view of it."""

    def __init__(self, issuer: Issuer, home: Path, url: str) -> None:
        self.issuer, self.home, self.url = issuer, home, url
        self.http = httpx.Client(trust_env=False, timeout=PATIENCE_S)

    def get(self, path: str) -> httpx.Response:
        return self.http.get(self.url + path)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        return self.http.post(self.url + path, **arguments)

    def application(self, key: PrivateKey, data: object, **other: object) -> str:
        payload = {
            "aud": self.issuer.settings.public_url,
            "iat": int(time.time()),
            "jti": PrivateKey.generate("P-256").public_key.multikey(),
            "application": data,
        } | other
        return sign_compact(
            payload,
            typ="zl-application+jwt",
            signer=key,
            extra_header={"jwk": key.public_key.jwk()},
        )

    def apply(self, key: PrivateKey, data: object) -> httpx.Response:
        return self.post("/applications", content=self.application(key, data))

    def tx_code(self, application: str) -> str:
        message = self.home / "outbox" / f"{application}.json"
        return str(json.loads(message.read_text())["tx_code"])

    def token(self, answer: dict[str, Any], **other: str) -> httpx.Response:
        offer = json.loads(parse_qs(urlsplit(answer["offer"]).query)["credential_offer"][0])
        form = {
            "grant_type": GRANT,
            "pre-authorized_code": offer["grants"][GRANT]["pre-authorized_code"],
            "tx_code": self.tx_code(answer["application"]),
        } | other
        return self.post("/token", data={k: v for k, v in form.items() if v})

    def proof(self, key: PrivateKey, **other: object) -> str:
        payload = {
            "aud": self.issuer.settings.public_url,
            "iat": int(time.time()),
            "nonce": self.post("/nonce").json()["c_nonce"],
        } | other
        return sign_compact(
            payload,
            typ="openid4vci-proof+jwt",
            signer=key,
            extra_header={"jwk": key.public_key.jwk()},
        )

    def credential(self, token: str, proof: str) -> httpx.Response:
        return self.post(
            "/credential",
            json={
                "credential_configuration_id": "ResidentIdentityCredential",
                "proofs": {"jwt": [proof]},
            },
            headers={"Authorization": f"Bearer {token}"},
        )


@pytest.fixture
def path() -> str:
    """The path of the issuer's public URL."""
    return ""


@pytest.fixture
def served(
    tmp_path: Path,
    settings: Settings,
    genesis: Genesis,
    registry: Any,
    people: People,
    path: str,
) -> Iterator[Served]:
    config = uvicorn.Config("unset", port=0, log_config=None, access_log=False, lifespan="off")
    listening = config.bind_socket()
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    home = tmp_path / "home"
    authority = AuthoritySettings(people.url, people.did, people.key)
    Issuer.init(
        home,
        replace(settings, public_url=base + path, authority=authority),
        genesis=genesis.entry.raw,
        authority_certificate=people.certificate,
        passphrase="correct horse",
        cost=COST_FLOOR,
    )
    people.authority.ledger.authorise(
        *read_issuer_key(home / AUTHORITY_CLIENT_FILE), at=system_clock()
    )
    issuer = Issuer.open(home, "correct horse", registry=lambda: registry)
    worker = Worker(issuer, every=0.2)
    config.app = build_api(issuer, poke=worker.poke)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    worker.start()
    while not server.started:
        time.sleep(0.01)
    told = Served(issuer, home, base + path)
    yield told
    told.http.close()
    worker.stop()
    server.should_exit = True
    thread.join(10)
    issuer.close()


@pytest.mark.parametrize("path", ["", "/hangzhou"], ids=["at-root", "under-a-path"])
def test_the_whole_way_of_a_wallet(
    served: Served, people: People, registry: Any, path: str
) -> None:
    split = urlsplit(served.url)
    root = f"{split.scheme}://{split.netloc}"
    found = served.http.get(f"{root}/.well-known/openid-credential-issuer{path}")
    assert found.status_code == 200
    metadata = found.json()
    assert metadata["credential_issuer"] == served.url
    configuration = metadata["credential_configurations_supported"]["ResidentIdentityCredential"]
    assert configuration["format"] == "ldp_vc"
    assert configuration["proof_types_supported"] == {
        "jwt": {"proof_signing_alg_values_supported": ["ES256"]}
    }
    server = served.http.get(f"{root}/.well-known/oauth-authorization-server{path}").json()
    assert server["issuer"] == served.url
    assert server["pre-authorized_grant_anonymous_access_supported"] is True

    holder = PrivateKey.generate("P-256")
    applied = served.apply(holder, people.residents[0])
    assert applied.status_code == 201, applied.text
    answer = applied.json()
    assert answer["state"] == "offered"
    assert served.get(f"/applications/{answer['application']}").json() == answer
    token = served.token(answer)
    assert token.status_code == 200, token.text
    assert token.headers["cache-control"] == "no-store"
    granted = token.json()
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 300
    issued = served.credential(granted["access_token"], served.proof(holder))
    assert issued.status_code == 200, issued.text
    assert issued.headers["cache-control"] == "no-store"
    (only,) = issued.json()["credentials"]
    credential = only["credential"]
    assert credential["credentialSubject"]["id"] == did_key(holder.public_key)
    document = served.get("/did.json").json()
    assert DidDocument.parse(document).id == credential["issuer"]
    verify_credential(
        credential,
        resolver=DocumentResolver([document]),
        now=system_clock(),
        accept_base=True,
    )
    # The worker brings its anchor and the lists to the registry without being asked.
    until(lambda: registry.kinds().count("anchor") == 1 and served.issuer.pending() == 0)
    for entry in credential["credentialStatus"]:
        listed = served.http.get(entry["statusListCredential"])
        assert listed.headers["content-type"].startswith("application/vc")
        assert parse_status_list(listed.json()).bits.count() == 0
    assert served.get("/health").json() == {"pending": 0}
    state = served.get(f"/applications/{answer['application']}").json()
    assert state == {"application": answer["application"], "state": "issued"}


def test_false_data_is_refused_by_a_code(served: Served, people: People) -> None:
    false = {**people.residents[1], "name": people.residents[2]["name"] + "某"}
    answer = served.apply(PrivateKey.generate("P-256"), false)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["state"], told["reason"]) == ("refused", "not-confirmed")
    assert set(told) == {"application", "state", "reason"}


def test_errors_have_the_codes_of_the_specifications(served: Served, people: People) -> None:
    holder = PrivateKey.generate("P-256")
    good = served.application(holder, people.residents[3])
    assert served.post("/applications", content=good).status_code == 201
    answer = served.apply(holder, people.residents[3]).json()
    offered = served.apply(holder, people.residents[3]).json()
    token = served.token(answer).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    request = {"credential_configuration_id": "ResidentIdentityCredential"}
    wrong = f"{(int(served.tx_code(offered['application'])) + 1) % 10**6:06}"
    form = {"grant_type": GRANT, "pre-authorized_code": "x", "tx_code": "1"}
    twice = "grant_type=a&grant_type=b&pre-authorized_code=x"
    media = {"Content-Type": "application/x-www-form-urlencoded"}
    expected = [
        (served.post("/applications", content=good), 409, "application_replayed"),
        (served.post("/applications", content="a.b.c"), 400, "invalid_application"),
        (served.post("/applications", content=b"\xff" * 99), 400, "invalid_application"),
        (served.post("/applications", content=b"x" * 40_000), 400, "invalid_application"),
        (served.get("/applications/aaaa"), 404, "not_found"),
        (served.token(offered, tx_code=""), 400, "invalid_request"),
        (served.token(offered, tx_code=wrong), 400, "invalid_grant"),
        (served.post("/token", data=form), 400, "invalid_grant"),
        (
            served.post("/token", data={**form, "grant_type": "password"}),
            400,
            "unsupported_grant_type",
        ),
        (served.post("/token", data={"grant_type": GRANT}), 400, "invalid_request"),
        (served.post("/token", json=form), 400, "invalid_request"),
        (served.post("/token", content=twice, headers=media), 400, "invalid_request"),
        (served.post("/token", content=b"\xff=1", headers=media), 400, "invalid_request"),
        (served.post("/token", content=b"a=b&" * 9999, headers=media), 400, "invalid_request"),
        (served.post("/credential", json=request), 401, "invalid_token"),
        (served.credential("A" * 43, served.proof(holder)), 401, "invalid_token"),
        (served.post("/credential", json=request, headers=bearer), 400, "invalid_proof"),
        (
            served.post("/credential", content="{", headers=bearer),
            400,
            "invalid_credential_request",
        ),
        (served.post("/credential", json=[], headers=bearer), 400, "invalid_credential_request"),
        (
            served.post("/credential", json={"credential_configuration_id": "X"}, headers=bearer),
            400,
            "unknown_credential_configuration",
        ),
        (served.credential(token, served.proof(holder, nonce="A")), 400, "invalid_nonce"),
        (served.credential(token, served.proof(holder, aud="x")), 400, "invalid_proof"),
        (
            served.credential(token, served.proof(PrivateKey.generate("P-256"))),
            400,
            "invalid_proof",
        ),
        (served.get("/status/99"), 404, "not_found"),
        (served.get("/status/x"), 404, "not_found"),
    ]
    for response, status, error in expected:
        told = response.json()
        assert (response.status_code, told["error"]) == (status, error), response.text
        assert set(told["error_description"]) <= set(map(chr, range(32, 127))) - set('"\\')
        assert "no-store" in response.headers["cache-control"]
    challenges = [r.headers["www-authenticate"] for r, status, _ in expected if status == 401]
    assert challenges == ["Bearer", 'Bearer error="invalid_token"']
    assert served.credential(token, served.proof(holder)).status_code == 200


def test_a_wrong_form_names_the_field_and_no_value(served: Served, people: People) -> None:
    person = people.residents[4]
    number = person["citizenNumber"]
    broken = number[:17] + ("0" if number[17] != "0" else "1")
    answer = served.apply(PrivateKey.generate("P-256"), {**person, "citizenNumber": broken})
    assert answer.status_code == 400
    assert answer.json()["field"] == "citizenNumber"
    assert broken[:17] not in answer.text


def test_an_unreachable_authority_lets_the_application_wait(
    served: Served, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = served.issuer._enrolment._authority
    reach = client._http.base_url  # type: ignore[attr-defined]
    client._http.base_url = "https://127.0.0.1:9"  # type: ignore[attr-defined]
    monkeypatch.setattr(enrolment, "FIRST_RETRY", enrolment.FIRST_RETRY * 0)
    answer = served.apply(PrivateKey.generate("P-256"), people.residents[5])
    assert answer.status_code == 202
    told = answer.json()
    assert (told["state"], told["retry_after"]) == ("waiting", 5)
    assert answer.headers["retry-after"] == "5"
    client._http.base_url = reach  # type: ignore[attr-defined]
    until(lambda: served.get(f"/applications/{told['application']}").json()["state"] == "offered")
    assert served.tx_code(told["application"])


def test_an_unreachable_registry_delays_nothing(
    served: Served, people: People, registry: Any
) -> None:
    registry.reachable = False
    holder = PrivateKey.generate("P-256")
    answer = served.apply(holder, people.residents[6]).json()
    token = served.token(answer).json()["access_token"]
    assert served.credential(token, served.proof(holder)).status_code == 200
    assert served.get("/health").json()["pending"] >= 1
    registry.reachable = True
    until(lambda: registry.kinds().count("anchor") == 1)


def test_many_wallets_at_once_get_one_credential_each(
    served: Served, people: People, registry: Any
) -> None:
    def fetch(person: dict[str, str]) -> dict[str, Any]:
        key = PrivateKey.generate("P-256")
        answer = served.apply(key, person).json()
        token = served.token(answer).json()["access_token"]
        issued = served.credential(token, served.proof(key)).json()
        credential: dict[str, Any] = issued["credentials"][0]["credential"]
        assert credential["credentialSubject"]["citizenNumber"] == person["citizenNumber"]
        return credential

    chosen = people.residents[8:24]
    with ThreadPoolExecutor(len(chosen)) as pool:
        credentials = list(pool.map(fetch, chosen))
    places = {
        (entry["statusListCredential"], entry["statusListIndex"])
        for credential in credentials
        for entry in credential["credentialStatus"]
    }
    assert len(places) == 2 * len(chosen)
    until(lambda: registry.kinds().count("anchor") == len(chosen))


def test_logs_hold_no_person_no_code_and_no_path(
    served: Served, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    person, holder = people.residents[7], PrivateKey.generate("P-256")
    answer = served.apply(holder, person).json()
    code = served.tx_code(answer["application"])
    token = served.token(answer).json()["access_token"]
    served.credential(token, served.proof(holder))
    served.apply(holder, {**person, "sex": "other"})
    told = "\n".join(
        f"{r.getMessage()} {r.__dict__}" for r in caplog.records if r.name[:6] == "issuer"
    )
    assert "/applications" in told
    for secret in (
        person["name"],
        person["citizenNumber"],
        f"'{code}'",
        token,
        answer["application"],
        did_key(holder.public_key),
    ):
        assert secret not in told


def test_a_defect_is_told_without_its_words(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down() -> str:
        raise RuntimeError("王小明")

    monkeypatch.setattr(served.issuer, "nonce", break_down)
    answer = served.post("/nonce")
    assert (answer.status_code, answer.json()) == (500, {"error": "server_error"})
    assert "王小明" not in "\n".join(f"{r.getMessage()} {r.__dict__}" for r in caplog.records)


def test_only_known_routes_answer(served: Served) -> None:
    for path in ("/docs", "/openapi.json", "/", "/status/", "/applications"):
        assert served.get(path).status_code in (404, 405)


def test_the_place_of_metadata() -> None:
    name = "openid-credential-issuer"
    assert well_known("https://a.example", name) == f"/.well-known/{name}"
    assert well_known("https://a.example/b/c", name) == f"/.well-known/{name}/b/c"


def test_every_answer_has_a_status_and_a_code() -> None:
    assert all(400 <= status < 600 and code for status, code in api._ANSWERS.values())
