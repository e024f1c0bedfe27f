"""Looking up scenarios with what a stranger's document holds."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.scenario import load_scenario, scenario_for_types
from schemas.violations import SchemaViolation, UnknownScenario


@pytest.mark.parametrize(
    ("types", "shown"),
    [
        ([], "these types"),
        ([1, None, ["x"]], "these types"),
        (["\x1b[2J", "王小明", "A b"], "these types"),
        (["Passport"], "Passport"),
        (["A" * 65], "these types"),
        (list("ABCDEFGH"), "A, B, C, D"),
    ],
)
def test_unknown_types_are_told_without_their_noise(types: list[Any], shown: str) -> None:
    with pytest.raises(UnknownScenario) as caught:
        scenario_for_types(types)
    assert str(caught.value) == f"No scenario is known for {shown}."


def test_deep_nesting_is_refused_and_not_followed() -> None:
    nested: Any = "x"
    for _ in range(100_000):
        nested = [nested]
    for credential in ({"proof": nested}, {"credentialSubject": nested}):
        with pytest.raises(SchemaViolation):
            load_scenario("resident-identity").validate(credential)
    # Taken apart level by level: the interpreter's own clean-up of such a list is recursive.
    while isinstance(nested, list):
        nested = nested.pop()
