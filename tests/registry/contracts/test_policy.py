"""Texts of contracts: what may stand as one, and how they decide."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.contracts import (
    LIBRARY,
    Engine,
    Party,
    PolicyText,
    Request,
    library_text,
    schema_text,
)
from registry.contracts.policy import MAX_CONDITIONALS, MAX_DEPTH, MAX_LINKS, MAX_POLICIES, measure
from registry.errors import ContractMalformed, EntryMalformed
from registry.ledger.entries import make_entry
from tests.registry.contracts.texts import ALLOW

# What may stand as a contract


def test_the_library_is_sound_and_speaks_of_every_action() -> None:
    spoken = set()
    for name in LIBRARY:
        text = PolicyText.parse(library_text(name), name)
        assert text.rules
        spoken |= text.actions
    assert all(f"action {action} " in schema_text() for action in spoken)
    assert len(spoken) == schema_text().count("\naction ")


def test_the_examples_of_the_documentation_can_stand() -> None:
    page = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text(encoding="utf-8")
    examples = re.findall(r"```cedar\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 5
    for text in examples:
        assert PolicyText.parse(text, "contracts" if "replaceContract" in text else "x").rules


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("permit(", "end of input"),
        (
            '@id("a") permit(principal, action == Action::"anchor", resource) when { context.x };',
            "x",
        ),
        ('@id("a") permit(principal, action, resource);', "does not name its actions"),
        ('permit(principal, action == Action::"anchor", resource);', "no @id"),
        ('@id("A b") permit(principal, action == Action::"anchor", resource);', "no @id"),
        ('@id("a") permit(principal == ?principal, action == Action::"anchor", resource);', "slot"),
        ('@id("a") permit(principal, action == Action::"fly", resource);', "fly"),
        ('@id("a") permit(principal is Dog, action == Action::"anchor", resource);', "Dog"),
        ('@id("a") permit(principal, action == Action::"replaceContract", resource);', "only"),
        (
            '@id("a") permit(principal, action == Action::"anchor", resource);' * 2,
            "one id",
        ),
        ("§", "no Cedar at character 1"),
        (
            '@id("a") permit(principal, action == Action::"anchor", resource)'
            ' when { "é\n" == "" };',
            "no",
        ),
    ],
)
def test_texts_that_cannot_stand_are_refused_by_name(text: str, reason: str) -> None:
    with pytest.raises(ContractMalformed) as refused:
        PolicyText.parse(text, "trial")
    assert reason in str(refused.value.params["reason"])


def _when(expression: str) -> str:
    return (
        f'@id("a") permit(principal, action == Action::"anchor", resource) when {{ {expression} }};'
    )


@pytest.mark.parametrize(
    "expression",
    [
        "(" * MAX_DEPTH + "true" + ")" * MAX_DEPTH,
        "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        "true" + " && true" * (MAX_LINKS + 1),
        "1" + "+1" * (MAX_LINKS + 1) + " == 1",
        "context" + ".a" * (MAX_LINKS + 1),
        "context" + '["a"]' * (MAX_LINKS + 1),
        "if true then " * (MAX_CONDITIONALS + 1) + "true" + " else true" * (MAX_CONDITIONALS + 1),
        "!" * (MAX_LINKS + 1) + "true",
        "//\r" + "(" * 500 + "true" + ")" * 500,
    ],
)
def test_a_text_that_would_exhaust_the_stack_never_reaches_the_parser(expression: str) -> None:
    with pytest.raises(ContractMalformed) as refused:
        measure(_when(expression), "trial")
    assert "nests too deep" in str(refused.value.params["reason"])


def test_the_longest_texts_that_pass_are_parsed_on_a_small_stack() -> None:
    worst = [
        "(" * (MAX_DEPTH - 1) + "true" + ")" * (MAX_DEPTH - 1),
        "true" + " && true" * (MAX_LINKS - 4),
        "if true then " * MAX_CONDITIONALS + "true" + " else true" * MAX_CONDITIONALS,
        ("(" + "if true then " * 2) * 4 + "true" + (" else true" * 2 + ")") * 4,
        "([{a:" * 3 + "1" + "}])" * 3 + " == 1",
    ]
    code = (
        "import sys, threading\n"
        "threading.stack_size(512 * 1024)\n"
        "from registry.contracts import PolicyText\n"
        "from registry.errors import ContractMalformed\n"
        "def work():\n"
        "    for text in sys.argv[1:]:\n"
        "        try: PolicyText.parse(text, 'trial')\n"
        "        except ContractMalformed: pass\n"
        "    print('alive')\n"
        "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(_when, worst)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


@pytest.mark.parametrize("hidden", ["\x1b[2J", "\u202e", "\u200b", "\x00", "\u2028"])
def test_what_people_cannot_see_cannot_stand_in_a_contract(hidden: str) -> None:
    for text in (f"// {hidden}", _when(f'"{hidden}" == ""'), hidden):
        with pytest.raises(ContractMalformed, match="not seen"):
            measure(text, "trial")


def test_too_many_policies_and_too_long_texts_are_refused() -> None:
    with pytest.raises(ContractMalformed, match="policies"):
        measure(";" * (MAX_POLICIES + 1), "trial")
    with pytest.raises(ContractMalformed, match="bytes"):
        measure(" " * 7000, "trial")
    with pytest.raises(EntryMalformed):
        make_entry(
            "contract",
            name="x",
            version=1,
            policy=" " * 7000,
            activates=9,
            replaces=None,
            approvals=[],
        )


@given(
    st.text(
        alphabet='permit(){}[]principal,action resource==Action::"@id;!&|.<>0aé\n\r/\\',
        max_size=200,
    )
)
def test_no_text_gets_past_with_another_error(text: str) -> None:
    with suppress(ContractMalformed):
        PolicyText.parse(text, "trial")


# How they decide


def request(**changes: Any) -> Request:
    asked = {
        "principal": Party("Issuer", "did:web:i", {"did": "did:web:i", "types": [], "chains": []}),
        "action": "anchor",
        "resource": Party("Chain", "n/c", {"purpose": "anchors", "scenario": "s", "epoch": 1}),
        "context": {"inForce": True, "chainIncluded": True},
    }
    return Request(**{**asked, **changes})


def engine(text: str) -> Engine:
    return Engine((f"trial/{rule.id}", rule) for rule in PolicyText.parse(text, "trial").rules)


def test_what_nothing_permits_is_denied() -> None:
    assert not engine("").judge(request()).allowed
    assert engine(ALLOW).judge(request()).by == ("trial/allow",)
    assert not engine(ALLOW).judge(request(action="recordAccess")).allowed


def test_a_prohibition_wins() -> None:
    text = ALLOW + '@id("no") forbid(principal is Issuer, action == Action::"anchor", resource);'
    decision = engine(text).judge(request())
    assert (decision.allowed, decision.by) == (False, ("trial/no",))
    stranger = Party("Stranger", "did:key:s", {"did": "did:key:s"})
    assert engine(text).judge(request(principal=stranger)).allowed


def test_a_policy_that_fails_denies_although_another_permits() -> None:
    # Overflow is an error of evaluation, which no type check foresees.
    text = ALLOW + (
        '@id("over") forbid(principal, action == Action::"anchor", resource)'
        " when { resource.epoch * 9223372036854775807 < 0 };"
    )
    assert engine(text).judge(request()).allowed
    chain = Party("Chain", "n/c", {"purpose": "anchors", "scenario": "s", "epoch": 2})
    decision = engine(text).judge(request(resource=chain))
    assert not decision.allowed
    assert "trial/over" in decision.failed[0]


def test_a_request_that_is_too_large_is_denied() -> None:
    crowd = Party("Issuer", "did:web:i", {"did": "d", "types": ["t"] * 300, "chains": []})
    assert engine(ALLOW).judge(request(principal=crowd)).failed


def test_policies_about_one_party_apply_to_it_alone() -> None:
    text = (
        '@id("one") permit(principal == Stranger::"did:key:a",'
        ' action in [Action::"anchor"], resource);'
    )
    for did, allowed in (("did:key:a", True), ("did:key:b", False)):
        party = Party("Stranger", did, {"did": did})
        assert engine(text).judge(request(principal=party)).allowed is allowed


def test_decisions_are_kept_by_what_tells_requests_apart() -> None:
    judge = engine(ALLOW)
    asked = 0

    def ask() -> Request:
        nonlocal asked
        asked += 1
        return request()

    first = judge.decide(("a", 1), ask)
    assert judge.decide(("a", 1), ask) is first
    assert asked == 1
    judge.decide(("a", 2), ask)
    assert asked == 2
