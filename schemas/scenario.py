"""A scenario: one kind of credential, as data. Its schema, context, claims and their texts.

Guarantees that a credential which `validate` lets pass has no member that the schema does not
name, and no value that contradicts another one shown. It says nothing about signatures, status or
time. Schemas and contexts are files of this package; nothing is fetched.

A violation names a place and a rule and never the value, so it may be logged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final, Literal

import jsonschema_rs

from schemas import resident_identity
from schemas.digests import digest_multibase
from schemas.resident_identity.rules import CHINA_STANDARD_TIME
from schemas.texts import CHINESE, load_texts
from schemas.violations import ClaimUndisplayable, SchemaViolation, UnknownClaim, UnknownScenario

Kind = Literal["text", "date", "time", "boolean", "code", "digits", "record"]

# Not strftime's %B: that follows the locale of the process, not the language asked for.
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

_TYPE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_TYPES_NAMED: Final = 4

# A scenario's files stand in the package of this name; its rules are that package's `check`.
_SCENARIOS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {
    "resident-identity": resident_identity.check,
}


@dataclass(frozen=True)
class Claim:
    """One thing a credential says, and how people read it. Texts are by language (zh-CN, en)."""

    pointer: str  # RFC 6901, from the credential's root
    label: Mapping[str, str]
    hint: Mapping[str, str]
    kind: Kind
    mandatory: bool  # shown in every presentation, whatever was asked
    sensitive: bool  # a wallet asks twice, a screen hides it at first
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The last part of the pointer."""
        return self.pointer.rpartition("/")[2]


@dataclass(frozen=True, eq=False)
class Scenario:
    """Everything the other packages need to know of one kind of credential.

    There is one object a scenario (`load_scenario`): compared and hashed by identity.
    """

    id: str
    credential_type: str
    title: Mapping[str, str]
    side_chain: str
    context_url: str
    context: Mapping[str, Any] = field(repr=False)
    context_bytes: bytes = field(repr=False)
    schema_url: str
    json_schema: Mapping[str, Any] = field(repr=False)
    schema_bytes: bytes = field(repr=False)
    claims: tuple[Claim, ...] = field(repr=False)
    _validator: jsonschema_rs.Validator = field(repr=False)
    _issued_validator: jsonschema_rs.Validator = field(repr=False)
    _rules: Callable[[Mapping[str, Any]], None] = field(repr=False)

    @property
    def schema_digest(self) -> str:
        """`digestMultibase` of the schema file's exact bytes, for `credentialSchema`."""
        return digest_multibase(self.schema_bytes)

    @property
    def context_digest(self) -> str:
        """`digestMultibase` of the context file's exact bytes."""
        return digest_multibase(self.context_bytes)

    @property
    def mandatory_pointers(self) -> tuple[str, ...]:
        """What every presentation shows, in the order in which it is displayed."""
        return tuple(claim.pointer for claim in self.claims if claim.mandatory)

    @property
    def selectable_pointers(self) -> tuple[str, ...]:
        """What the holder chooses to show or not."""
        return tuple(claim.pointer for claim in self.claims if not claim.mandatory)

    def claim(self, pointer: str) -> Claim:
        """The claim at `pointer`; raises `UnknownClaim`."""
        for claim in self.claims:
            if claim.pointer == pointer:
                return claim
        raise UnknownClaim(scenario=self.id, pointer=pointer)

    def validate(self, credential: Mapping[str, Any]) -> None:
        """Check a credential, whole or selectively disclosed. Raises `SchemaViolation`."""
        self._check(self._validator, credential)

    def validate_issued(self, credential: Mapping[str, Any]) -> None:
        """Check a credential that an issuer is about to sign: every claim must be there."""
        self._check(self._issued_validator, credential)

    def display(self, pointer: str, value: object, language: str) -> str:
        """`value` as people read it; raises `ClaimUndisplayable` if it is of another kind.

        Characters that do not print are replaced: a value must not move the cursor or reverse
        the line it is shown in.
        """
        claim = self.claim(pointer)
        try:
            text = _DISPLAY[claim.kind](claim, value, language)
        except (KeyError, TypeError, ValueError):
            raise ClaimUndisplayable(pointer=pointer, kind=claim.kind) from None
        return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)

    def _check(self, validator: jsonschema_rs.Validator, credential: Mapping[str, Any]) -> None:
        # The error's own text quotes the instance; only its place and keyword leave this method.
        try:
            error = next(validator.iter_errors(credential), None)
        except (TypeError, ValueError):  # not JSON: a tuple, a NaN, an integer as key …
            raise SchemaViolation(pointer="", rule="json") from None
        if error is not None:
            path = [str(part) for part in error.instance_path]
            rule = error.kind.name
            if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
                path.append(str(error.kind.property))
            raise SchemaViolation(pointer="".join(f"/{part}" for part in path), rule=rule)
        self._rules(credential)


@lru_cache(maxsize=16)
def load_scenario(scenario_id: str) -> Scenario:
    """The scenario of this id ("resident-identity"); raises `UnknownScenario`."""
    rules = _SCENARIOS.get(scenario_id)
    if rules is None:
        raise UnknownScenario(wanted=scenario_id)
    folder = files("schemas") / scenario_id.replace("-", "_")
    schema_bytes = (folder / "schema.json").read_bytes()
    context_bytes = (folder / "context.jsonld").read_bytes()
    display = json.loads((folder / "display.json").read_bytes())
    schema = json.loads(schema_bytes)
    properties = schema["properties"]
    return Scenario(
        id=scenario_id,
        credential_type=properties["type"]["const"][1],
        title=display["title"],
        side_chain=display["sideChain"],
        context_url=properties["@context"]["const"][1],
        context=json.loads(context_bytes),
        context_bytes=context_bytes,
        schema_url=schema["$id"],
        json_schema=schema,
        schema_bytes=schema_bytes,
        claims=tuple(Claim(**claim) for claim in display["claims"]),
        _validator=_compile(schema, schema["$id"]),
        _issued_validator=_compile(schema, schema["$id"] + "#/$defs/issued"),
        _rules=rules,
    )


def all_scenarios() -> tuple[Scenario, ...]:
    """Every scenario this version knows."""
    return tuple(load_scenario(scenario_id) for scenario_id in _SCENARIOS)


def scenario_for_types(types: Iterable[str]) -> Scenario:
    """The scenario whose credential type is among `types`; raises `UnknownScenario`."""
    wanted = tuple(types)
    for scenario in all_scenarios():
        if scenario.credential_type in wanted:
            return scenario
    # Types come from strangers' documents and end up on screens: plain names only.
    names = [w for w in wanted if isinstance(w, str) and _TYPE_NAME.fullmatch(w)]
    raise UnknownScenario(wanted=", ".join(names[:_TYPES_NAMED]) or "these types")


def _compile(schema: dict[str, Any], reference: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        {"$schema": schema["$schema"], "$ref": reference},
        registry=jsonschema_rs.Registry([(schema["$id"], schema)]),
        validate_formats=True,
        # The linear-time engine: no pattern of ours can be made to backtrack.
        pattern_options=jsonschema_rs.RegexOptions(),
        offline=True,
    )


def _display_text(_claim: Claim, value: object, _language: str) -> str:
    return _string(value)


def _display_code(claim: Claim, value: object, language: str) -> str:
    code = _string(value)
    texts = claim.values.get(code)
    # A code without a text is shown as it stands: division codes come and go.
    return texts[language] if texts else code


def _display_boolean(_claim: Claim, value: object, language: str) -> str:
    if not isinstance(value, bool):
        raise TypeError
    _ = load_texts("schemas", language)
    return _("Yes") if value else _("No")


def _display_date(_claim: Claim, value: object, language: str) -> str:
    day = date.fromisoformat(_string(value))
    return _day(day, language)


def _display_time(_claim: Claim, value: object, language: str) -> str:
    instant = datetime.fromisoformat(_string(value))
    if instant.tzinfo is None:
        raise ValueError
    local = instant.astimezone(CHINA_STANDARD_TIME)
    zone = "北京时间" if language == CHINESE else "China Standard Time"
    return f"{_day(local, language)} {local:%H:%M} ({zone})"


def _display_record(claim: Claim, value: object, language: str) -> str:
    """Members that tell people something: who checked and when, which list, which schema."""
    records = value if isinstance(value, list) else [value]
    _ = load_texts("schemas", language)
    lines = []
    for record in records:
        if not isinstance(record, Mapping):
            raise TypeError
        if "statusPurpose" in record:
            purpose = {"revocation": _("Revocation"), "suspension": _("Suspension")}
            name = _string(record["statusPurpose"])
            lines.append(f"{purpose.get(name, name)} #{_string(record['statusListIndex'])}")
        elif "checkedAt" in record and "authority" in record:
            when = _display_time(claim, record["checkedAt"], language)
            lines.append(
                _("{authority} on {when}", authority=_string(record["authority"]), when=when)
            )
        elif "id" in record:
            lines.append(_string(record["id"]))
        else:
            lines.append(_("Partly shown"))
    return "; ".join(lines)


def _day(day: date, language: str) -> str:
    if language == CHINESE:
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_DISPLAY: Final[Mapping[Kind, Callable[[Claim, object, str], str]]] = {
    "text": _display_text,
    "digits": _display_text,
    "code": _display_code,
    "boolean": _display_boolean,
    "date": _display_date,
    "time": _display_time,
    "record": _display_record,
}
