"""Policy texts: what is read as one, checked before the engine ever sees it.

The text of a contract comes from whoever proposes it. Cedar's parser descends into nested
expressions on the stack and ends the *process* when that is used up, so a text is measured
first: its length, its policies, how deep it nests and how long its chains of operators are.
Then Cedar parses it and checks its types against the schema of this format. Every policy names
its actions, has no free slots, and bears its own id.

Guaranteed: a `PolicyText` can be evaluated in bounded time and stack, names only what the schema
has, and needs no clock (Cedar has no function that reads one). Not said: that it is wise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from registry.errors import ContractMalformed
from registry.limits import MAX_POLICY_TEXT
from schemas.errors import Phrase

SCHEMA_FILE: Final = "zhenglian.cedarschema"
LIBRARY: Final = (
    "contracts",
    "accreditation",
    "resources",
    "chains",
    "anchoring",
    "status",
    "access",
    "issuing",
    "requesting",
)
"""The default contracts, each a `.cedar` file in this package."""

RULE_OF_RULES: Final = "contracts"
CHANGE: Final = "replaceContract"
"""Only the contract `RULE_OF_RULES` may have policies about this action: else any other contract
could loosen who may change the rules."""


MAX_POLICIES: Final = 64  # of one contract
MAX_DEPTH: Final = 12  # 256 KiB of stack carry 16; threads have 8 MiB
MAX_LINKS: Final = 96  # operators of one policy, which may all nest to the left
MAX_CONDITIONALS: Final = 8  # `if` of one policy

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\r\n]+|//[^\r\n]*)
  | (?P<text>"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*")
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<number>[0-9]+)
  | (?P<sign>&&|\|\||==|!=|<=|>=|::|[-+*!<>.,;:@?=(){}\[\]])
    """,
    re.VERBOSE,
)
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")
_LINKS: Final = frozenset(
    {"&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "!", ".", "[", "in", "like"}
    | {"has", "is"}
)


@dataclass(frozen=True)
class Rule:
    """One policy: its id within the contract, what it is about, and its form for the engine."""

    id: str
    effect: str
    actions: frozenset[str]
    principal: str | None
    """The type of principal it is limited to, if it is."""
    principal_id: str | None
    """The one principal it is limited to, if it is."""
    form: Mapping[str, Any]


@dataclass(frozen=True)
class PolicyText:
    """A checked text and its policies."""

    text: str
    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, text: str, name: str) -> PolicyText:
        """The policies of the contract `name`. Raises ContractMalformed."""
        return _parse(text, name)

    @property
    def actions(self) -> frozenset[str]:
        """Every action that it speaks of."""
        return frozenset().union(*(rule.actions for rule in self.rules))


def library_text(name: str) -> str:
    """The text of a default contract."""
    return (resources.files(__package__) / f"{name}.cedar").read_text(encoding="utf-8")


@cache
def schema_text() -> str:
    """The schema in Cedar's own notation."""
    return (resources.files(__package__) / SCHEMA_FILE).read_text(encoding="utf-8")


@cache
def _schema() -> Any:
    import cedarpy  # 16 MB of code: only who judges by contracts loads it

    return cedarpy.Schema.from_str(schema_text())


def _tokens(text: str, name: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ContractMalformed(
                name=name, reason=Phrase("no Cedar at character {position}", position=position + 1)
            )
        position = found.end()
        if found.lastgroup != "space":
            yield str(found.lastgroup), found.group()


def measure(text: str, name: str) -> int:
    """The number of policies of a text that is safe to parse. Raises ContractMalformed."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_POLICY_TEXT:
        raise ContractMalformed(
            name=name, reason=Phrase("more than {most} bytes", most=MAX_POLICY_TEXT)
        )
    if not all(one.isprintable() or one in "\t\r\n" for one in text):
        # Else the text that people read could differ from the one that decides.
        raise ContractMalformed(name=name, reason="it has characters that are not seen")
    depth = links = conditionals = policies = 0
    for group, piece in _tokens(text, name):
        if piece in _OPENING and group == "sign":
            depth += 1
        elif piece in _CLOSING and group == "sign":
            depth -= 1
        if group != "text" and piece in _LINKS:
            links += 1
        conditionals += group == "word" and piece == "if"
        if depth > MAX_DEPTH or links > MAX_LINKS or conditionals > MAX_CONDITIONALS:
            raise ContractMalformed(
                name=name,
                reason=Phrase(
                    "policy {policies} is too long or nests too deep", policies=policies + 1
                ),
            )
        if piece == ";" and depth == 0:
            policies += 1
            links = conditionals = 0
    if policies > MAX_POLICIES:
        raise ContractMalformed(
            name=name, reason=Phrase("more than {most} policies", most=MAX_POLICIES)
        )
    return policies


@lru_cache(maxsize=512)
def _parse(text: str, name: str) -> PolicyText:
    import cedarpy

    measure(text, name)
    try:
        forms: Mapping[str, Any] = json.loads(cedarpy.policies_to_json_str(text))
        found = cedarpy.validate_policies(text, _schema())
    except (ValueError, RecursionError) as error:
        raise ContractMalformed(name=name, reason=_told(error)) from error
    if not found.validation_passed:
        raise ContractMalformed(
            name=name, reason=_told(found.errors[0] if found.errors else "its types do not fit")
        )
    if forms["templates"] or forms["templateLinks"]:
        raise ContractMalformed(name=name, reason="a policy has a free slot")
    rules = tuple(
        _rule(form, name) for _, form in sorted(forms["staticPolicies"].items(), key=_nth)
    )
    if len({rule.id for rule in rules}) != len(rules):
        raise ContractMalformed(name=name, reason="two policies bear one id")
    whole = PolicyText(text, rules)
    if CHANGE in whole.actions and name != RULE_OF_RULES:
        raise ContractMalformed(
            name=name,
            reason=Phrase(
                "only the contract {contract} may speak of {change}",
                contract=RULE_OF_RULES,
                change=CHANGE,
            ),
        )
    return whole


def _nth(item: tuple[str, Any]) -> tuple[int, str]:
    return len(item[0]), item[0]  # policy2 before policy10


def _told(error: object) -> str:
    line = " ".join(str(error).split())
    return line[:200] if line.isprintable() else "Cedar cannot read it"


def _rule(form: Mapping[str, Any], name: str) -> Rule:
    identifier = form.get("annotations", {}).get("id")
    if not isinstance(identifier, str) or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", identifier):
        raise ContractMalformed(name=name, reason='a policy has no @id("small-letters")')
    scope = form["action"]
    match scope["op"]:
        case "==":
            actions = [scope["entity"]]
        case "in":
            actions = scope.get("entities") or [scope["entity"]]
        case _:
            raise ContractMalformed(
                name=name,
                reason=Phrase(
                    "the policy {identifier} does not name its actions", identifier=identifier
                ),
            )
    principal = form["principal"]
    named = principal.get("entity") if principal["op"] in ("==", "in") else None
    return Rule(
        identifier,
        form["effect"],
        frozenset(action["id"] for action in actions),
        named["type"] if named else principal.get("entity_type"),
        named["id"] if named else None,
        form,
    )
