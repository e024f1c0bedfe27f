"""Enrolment: forms, signatures, replays, and an authority that says yes, no, or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.jose import sign_compact
from credentials.keys import PrivateKey
from issuer import enrolment as module
from issuer.authority.errors import (
    AuthorityBusy,
    AuthorityRefused,
    AuthoritySignatureWrong,
    AuthorityTimeWrong,
)
from issuer.enrolment import Enrolment, mask_name
from issuer.errors import (
    ApplicationForged,
    ApplicationMalformed,
    ApplicationReplayed,
    ApplicationsTooFrequent,
    AuthorityUnreachable,
    RecordUnknown,
    TooManyWaiting,
)
from issuer.office import Office
from issuer.records import Records
from issuer.store import STORE_FILE
from schemas.scenario import load_scenario


@pytest.fixture
def enrolment(office: Office, authority: Any) -> Enrolment:
    return Enrolment(office, load_scenario("resident-identity"), authority)


@pytest.fixture
def records(office: Office) -> Records:
    return Records(office.store)


def test_a_signed_application_is_kept_sealed_and_confirmed(
    enrolment: Enrolment,
    records: Records,
    office: Office,
    authority: Any,
    citizen: dict[str, str],
    holder: PrivateKey,
    sign_application: Callable[..., str],
) -> None:
    application = enrolment.receive_online(sign_application(holder, citizen))
    known = records.application(application)
    assert (known.state, known.channel, known.masked_name) == ("waiting", "online", "王**")
    assert known.holder_key == holder.public_key.multikey()
    assert authority.asked == []
    assert enrolment.ask(application).state == "approved"
    assert authority.asked == [tuple(sorted(citizen))]
    evidence = records.application(application).evidence
    assert evidence is not None
    assert evidence.authority == "did:web:authority.example"
    assert evidence.checked_at == "2026-11-22T09:00:00Z"
    # Nothing of the person is readable in the file, but the masked name.
    office.store.close()
    raw = b"".join(file.read_bytes() for file in office.home.glob(STORE_FILE + "*"))
    for value in (citizen["name"], citizen["citizenNumber"], citizen["birthDate"]):
        assert value.encode() not in raw
    assert enrolment.data(application) == citizen


def test_a_refusal_keeps_a_code_and_no_value(
    enrolment: Enrolment, records: Records, authority: Any, citizen: dict[str, str]
) -> None:
    authority.passes = False
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    assert enrolment.ask(application).state == "refused"
    known = records.application(application)
    assert (known.reason, known.evidence) == ("not-confirmed", None)
    # A decision stands: nobody is asked again.
    authority.passes = True
    assert enrolment.ask(application).state == "refused"
    assert len(authority.asked) == 1


def test_an_unreachable_authority_keeps_the_application_waiting_longer_and_longer(
    enrolment: Enrolment, authority: Any, citizen: dict[str, str], clock: Any
) -> None:
    authority.reachable = False
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    waited = []
    for _ in range(12):
        assert enrolment.due() == [application]
        asked = enrolment.ask(application)
        assert asked.state == "waiting"
        assert isinstance(asked.trouble, AuthorityUnreachable)
        seconds = 0
        while not enrolment.due():
            clock.advance(seconds=5)
            seconds += 5
        waited.append(seconds)
    assert waited[:4] == [5, 10, 20, 40]
    assert waited[-1] == 600
    authority.reachable = True
    assert enrolment.ask(application).state == "approved"
    assert enrolment.due() == [application]  # approved, and still without an offer


def test_an_authority_that_asks_for_a_pause_gets_it(
    enrolment: Enrolment, authority: Any, citizen: dict[str, str], clock: Any
) -> None:
    authority.trouble = AuthorityBusy(seconds=3600)
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    assert enrolment.ask(application).state == "waiting"
    clock.advance(seconds=3599)
    assert enrolment.due() == []
    clock.advance(seconds=1)
    assert enrolment.due() == [application]


@pytest.mark.parametrize(
    "trouble", [AuthorityRefused(reason="clock"), AuthoritySignatureWrong(), AuthorityTimeWrong()]
)
def test_an_answer_that_cannot_be_trusted_is_no_answer(
    enrolment: Enrolment, authority: Any, citizen: dict[str, str], trouble: Exception
) -> None:
    authority.trouble = trouble
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    asked = enrolment.ask(application)
    assert (asked.state, asked.trouble) == ("waiting", trouble)


def test_everything_that_waits_can_be_asked_at_once(
    enrolment: Enrolment, authority: Any, citizen: dict[str, str]
) -> None:
    authority.reachable = False
    application = enrolment.receive_at_counter(citizen, actor="clerk")
    enrolment.ask(application)
    assert enrolment.due() == []
    assert enrolment.due(everything=True) == [application]


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"citizenNumber": "330106199001011017"}, "citizenNumber", None),
        ({"citizenNumber": "33010619900101101"}, "citizenNumber", None),
        ({"sex": "female"}, "sex", "agrees-with-citizen-number"),
        ({"sex": "other"}, "sex", "enum"),
        ({"birthDate": "1990-01-02"}, "birthDate", "agrees-with-citizen-number"),
        ({"birthDate": "1990-13-01"}, "birthDate", "date"),
        ({"birthDate": "2027-01-01"}, "birthDate", "not in the future"),
        ({"division": "3301"}, "division", None),
        ({"name": "王小明<script>"}, "name", None),
        ({"name": ""}, "name", "required"),
        ({"name": None}, "name", "required"),
        ({"ethnicity": 7}, "ethnicity", "required"),
        ({"ageOver18": True}, "application", "no further fields"),
    ],
)
def test_a_form_that_does_not_hold_is_refused_before_anyone_is_asked(
    enrolment: Enrolment,
    authority: Any,
    citizen: dict[str, str],
    change: dict[str, Any],
    field: str,
    rule: str | None,
) -> None:
    data = {**citizen, **change}
    with pytest.raises(ApplicationMalformed) as caught:
        enrolment.receive_at_counter(data, actor="clerk")
    assert caught.value.params["field"] == field
    assert rule is None or caught.value.params["rule"] == rule
    told = json.dumps(caught.value.diagnostics(), ensure_ascii=False)
    for name, value in data.items():
        assert name == "sex" or not value or str(value) not in told
    assert authority.asked == []


@pytest.mark.parametrize("data", [None, [], "text", 3, {}])
def test_an_application_that_is_no_form_is_refused(enrolment: Enrolment, data: object) -> None:
    with pytest.raises(ApplicationMalformed):
        enrolment.check_form(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(module.FIELDS) | st.text(max_size=5), inner, max_size=6
            )
        ),
        max_leaves=12,
    )
)
def test_no_form_does_anything_but_pass_or_be_malformed(data: object) -> None:
    # `check_form` reads the office's settings, keys and clock only; no store is needed.
    enrolment = _STORELESS
    try:
        enrolment.check_form(data)
    except ApplicationMalformed as error:
        assert str(error)


class _Storeless:
    class settings:  # noqa: N801 - stands for an attribute
        did = "did:web:data.hangzhou.example"

        class authority:  # noqa: N801 - stands for an attribute
            did = "did:web:authority.example"

        @staticmethod
        def status_url(number: int) -> str:
            return f"https://issuer.example/status/{number}"

    class keys:  # noqa: N801 - stands for an attribute
        credential = PrivateKey.generate("P-256")

    @staticmethod
    def clock() -> Any:
        from datetime import UTC, datetime

        return datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


_STORELESS = Enrolment(_Storeless(), load_scenario("resident-identity"), None)  # type: ignore[arg-type]


def test_the_same_application_twice_is_a_replay(
    enrolment: Enrolment,
    citizen: dict[str, str],
    holder: PrivateKey,
    sign_application: Callable[..., str],
) -> None:
    token = sign_application(holder, citizen)
    enrolment.receive_online(token)
    with pytest.raises(ApplicationReplayed):
        enrolment.receive_online(token)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_future_application_is_refused(
    enrolment: Enrolment,
    citizen: dict[str, str],
    holder: PrivateKey,
    sign_application: Callable[..., str],
    clock: Any,
    minutes: int,
) -> None:
    token = sign_application(holder, citizen)
    clock.advance(minutes=minutes)
    with pytest.raises(ApplicationReplayed):
        enrolment.receive_online(token)


def test_a_signature_for_others_by_others_or_of_another_kind_is_refused(
    enrolment: Enrolment,
    citizen: dict[str, str],
    holder: PrivateKey,
    sign_application: Callable[..., str],
    clock: Any,
) -> None:
    good = sign_application(holder, citizen)
    head, body, signature = good.split(".")
    payload = {
        "aud": "https://issuer.example",
        "iat": int(clock().timestamp()),
        "jti": os.urandom(16).hex(),
        "application": citizen,
    }
    stranger = PrivateKey.generate("P-256")
    swapped = sign_compact(
        payload,
        typ="zl-application+jwt",
        signer=holder,
        extra_header={"jwk": stranger.public_key.jwk()},
    )
    edwards = PrivateKey.generate("Ed25519")
    forged = [
        f"{head}.{body}.{signature[:-8]}AAAAAAA{signature[-1]}",
        swapped,
        sign_compact(payload, typ="zl-application+jwt", signer=holder),
        sign_application(holder, citizen, typ="openid4vci-proof+jwt"),
        sign_application(holder, citizen, aud="https://other.example"),
        sign_application(holder, citizen, aud=None),
        "",
        "a.b.c",
        good + ".x",
    ]
    for token in forged:
        with pytest.raises(ApplicationForged):
            enrolment.receive_online(token)
    malformed = [
        sign_application(edwards, citizen),
        sign_application(holder, citizen, jti=None),
        sign_application(holder, citizen, jti="short"),
        sign_application(holder, citizen, jti="x" * 200),
        sign_application(holder, citizen, iat="now"),
        sign_application(holder, citizen, iat=True),
        sign_application(holder, None),
        "x" * 9000,
    ]
    for token in malformed:
        with pytest.raises(ApplicationMalformed):
            enrolment.receive_online(token)


def test_one_person_has_ten_online_applications_a_day(
    enrolment: Enrolment,
    citizen: dict[str, str],
    sign_application: Callable[..., str],
    clock: Any,
) -> None:
    def apply() -> str:
        return enrolment.receive_online(sign_application(PrivateKey.generate("P-256"), citizen))

    for _ in range(module.MAX_ONLINE_A_DAY):
        apply()
    with pytest.raises(ApplicationsTooFrequent):
        apply()
    assert enrolment.receive_at_counter(citizen, actor="clerk")
    clock.advance(days=1)
    assert apply()


def test_a_flood_of_applications_has_an_end(
    enrolment: Enrolment, citizen: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    for _ in range(2):
        enrolment.receive_at_counter(citizen, actor="clerk")
    with pytest.raises(TooManyWaiting):
        enrolment.receive_at_counter(citizen, actor="clerk")


def test_an_unknown_application_is_named(enrolment: Enrolment) -> None:
    with pytest.raises(RecordUnknown):
        enrolment.ask("nobody")


@pytest.mark.parametrize(
    ("name", "masked"),
    [("王小明", "王**"), ("王", "王*"), ("阿卜杜拉·买买提", "阿***"), ("𠮷野", "𠮷*")],
)
def test_masked_names(name: str, masked: str) -> None:
    assert mask_name(name) == masked
