"""What a department asks for: DCQL (OpenID4VP 1.0 §6), as far as format `ldp_vc` needs it.

Supported: one credential, alternatives of types, claims by path, claims restricted to values.
Everything else that changes what would be shown is refused by name (`QueryUnsupported`); members
that DCQL does not define are ignored, as §6 demands.

Guarantees for the holder: a match lists each single claim that would be shown. A path to a whole
object (`["credentialSubject"]`) is unfolded, so nothing is asked for by a collective name.
Guarantee for the wallet's time: sizes are limited before anything is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from credentials.canonical.terms import Compiler
from credentials.contexts import ContextStore, bundled_contexts
from credentials.errors import DocumentRefused, PointerInvalid, QueryMalformed, QueryUnsupported
from credentials.limits import DEFAULT_LIMITS
from schemas.errors import Phrase
from schemas.names import CONTEXT_V2
from schemas.scenario import Scenario, all_scenarios, scenario_for_types
from schemas.violations import UnknownScenario

FORMAT: Final = "ldp_vc"
MAX_CLAIMS: Final = 64
MAX_PATH: Final = 8
MAX_ALTERNATIVES: Final = 16
MAX_TEXT: Final = 256
MAX_VALUES: Final = 32

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_POSITION: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_SELECTS_LESS: Final = ("credential_sets", "claim_sets", "trusted_authorities")

Step = str | int | None
Primitive = str | int | bool


@dataclass(frozen=True)
class ClaimQuery:
    """One claim asked for, by claims path pointer (§7), perhaps only with one of some values."""

    path: tuple[Step, ...]
    values: tuple[Primitive, ...] = ()

    def document(self) -> dict[str, Any]:
        claim: dict[str, Any] = {"path": list(self.path)}
        return {**claim, "values": list(self.values)} if self.values else claim


@dataclass(frozen=True)
class QueryMatch:
    """The credential answers the query by showing these claims (JSON pointers, in order)."""

    query_id: str
    pointers: tuple[str, ...]


@dataclass(frozen=True)
class QueryMismatch:
    """Why the credential does not answer the query. Names claims, never values.

    `reason`: "type" another kind of credential; "claim" it lacks a claim; "value" a claim has
    none of the values asked for.
    """

    query_id: str
    reason: Literal["type", "claim", "value"]
    pointer: str = ""


@dataclass(frozen=True)
class DcqlQuery:
    """A query for one credential."""

    id: str
    type_values: tuple[tuple[str, ...], ...]
    claims: tuple[ClaimQuery, ...]

    @classmethod
    def for_claims(
        cls, scenario: Scenario | str, pointers: Iterable[str], *, query_id: str = "credential"
    ) -> DcqlQuery:
        """The query for claims (JSON pointers) of a scenario, or of its credential type.

        Raises UnknownScenario, PointerInvalid.
        """
        if isinstance(scenario, str):
            scenario = scenario_for_types((scenario,))
        iri = expanded_types([CONTEXT_V2, scenario.context_url], [scenario.credential_type])[0]
        claims = tuple(ClaimQuery(_path_of(pointer)) for pointer in dict.fromkeys(pointers))
        return cls(query_id, ((iri,),), claims)

    def document(self) -> dict[str, Any]:
        """The query as it stands in a request."""
        credential: dict[str, Any] = {
            "id": self.id,
            "format": FORMAT,
            "meta": {"type_values": [list(types) for types in self.type_values]},
        }
        if self.claims:
            credential["claims"] = [claim.document() for claim in self.claims]
        return {"credentials": [credential]}

    @classmethod
    def parse(cls, query: object) -> DcqlQuery:
        """Read a DCQL query. Raises QueryMalformed, QueryUnsupported."""
        if not isinstance(query, Mapping):
            raise QueryMalformed(reason="it is not an object")
        credentials = query.get("credentials")
        if not isinstance(credentials, list) or not credentials:
            raise QueryMalformed(reason="it names no credentials")
        if len(credentials) > 1:
            raise QueryUnsupported(reason="more than one credential")
        credential = credentials[0]
        if not isinstance(credential, Mapping):
            raise QueryMalformed(reason="a credential query is not an object")
        for member in _SELECTS_LESS:
            if member in query or member in credential:
                raise QueryUnsupported(reason=member)
        identifier = credential.get("id")
        if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
            raise QueryMalformed(reason="a credential query has no proper id")
        if credential.get("format") != FORMAT:
            raise QueryUnsupported(reason=Phrase("another format than {format}", format=FORMAT))
        if credential.get("multiple", False) is not False:
            raise QueryUnsupported(reason="several credentials for one query")
        if credential.get("require_cryptographic_holder_binding", True) is not True:
            # Presentations here are always bound to their holder (B.1 would want none).
            raise QueryUnsupported(reason="a credential without proof of its holder")
        return cls(identifier, _type_values(credential.get("meta")), _claims(credential))

    def requested_pointers(self) -> tuple[str, ...]:
        """The paths asked for as JSON pointers; `null` steps read `*`. For display and journal."""
        return tuple(_pointer(claim.path) for claim in self.claims)

    def wanted(self) -> tuple[Scenario, tuple[str, ...]]:
        """The scenario and its claims that the query asks for, before any credential is at hand.

        A path to a whole object reads as all claims in it. Raises QueryUnsupported for types of
        no scenario, for parts of claims, and for claims restricted to values: whoever shows the
        answer to a person must know all of it.
        """
        scenario = self._scenario()
        known = [claim.pointer for claim in scenario.claims]
        pointers: dict[str, None] = {}
        for claim in self.claims:
            if claim.values:
                raise QueryUnsupported(reason="claims restricted to values")
            pointer = _pointer(claim.path)
            below = [other for other in known if other.startswith(pointer + "/")]
            if pointer not in known and not below:
                raise QueryUnsupported(reason=Phrase("the claim {pointer}", pointer=pointer))
            pointers.update(dict.fromkeys([pointer] if pointer in known else below))
        return scenario, tuple(pointers)

    def _scenario(self) -> Scenario:
        for scenario in all_scenarios():
            types = ["VerifiableCredential", scenario.credential_type]
            have = set(expanded_types([CONTEXT_V2, scenario.context_url], types))
            if any(have.issuperset(alternative) for alternative in self.type_values):
                return scenario
        raise QueryUnsupported(reason="this type of credential")

    def match(
        self, credential: Mapping[str, Any], *, contexts: ContextStore | None = None
    ) -> QueryMatch | QueryMismatch:
        """Whether `credential` answers the query, and which claims would be shown then.

        The credential is one that the holder has accepted; its contexts are on record.
        """
        if not self._accepts_type(credential, contexts):
            return QueryMismatch(self.id, "type")
        chosen: dict[str, None] = {}
        for claim in self.claims:
            found = _select(credential, claim.path)
            if not found:
                return QueryMismatch(self.id, "claim", _pointer(claim.path))
            if claim.values and not all(
                any(type(value) is type(v) and value == v for v in claim.values)
                for value in found.values()
            ):
                return QueryMismatch(self.id, "value", _pointer(claim.path))
            for pointer, value in found.items():
                chosen.update(dict.fromkeys(_unfolded(credential, pointer, value)))
        return QueryMatch(self.id, tuple(chosen))

    def _accepts_type(self, credential: Mapping[str, Any], contexts: ContextStore | None) -> bool:
        types = credential.get("type")
        names: list[Any] = types if isinstance(types, list) else [types]
        if not all(isinstance(name, str) for name in names):
            return False
        have = set(expanded_types(credential.get("@context"), names, contexts))
        # B.1.1: one alternative must be contained, whatever the order.
        return any(have.issuperset(alternative) for alternative in self.type_values)


def expanded_types(
    context: object, names: Iterable[str], contexts: ContextStore | None = None
) -> tuple[str, ...]:
    """The IRIs of types under `context`; a type that no context defines stays as it is (B.1.1).

    Raises ContextUnknown and the like when a context is not on record.
    """
    active = _compiler(contexts).initial.local(context, "/@context")
    iris = []
    for name in names:
        try:
            iris.append(active.type_iri(name, "/type").strip("<>"))
        except DocumentRefused:  # undefined, so it remains a relative IRI
            iris.append(name)
    return tuple(iris)


@lru_cache(maxsize=8)
def _compiler(contexts: ContextStore | None) -> Compiler:
    return Compiler(contexts or bundled_contexts(), DEFAULT_LIMITS, inline_contexts=False)


# Reading


def _type_values(meta: object) -> tuple[tuple[str, ...], ...]:
    values = meta.get("type_values") if isinstance(meta, Mapping) else None
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_ALTERNATIVES:
        raise QueryMalformed(reason="type_values is missing, empty or too long")
    alternatives = []
    for types in values:
        if not isinstance(types, list) or not 1 <= len(types) <= MAX_ALTERNATIVES:
            raise QueryMalformed(reason="an alternative of type_values is empty or too long")
        if not all(isinstance(name, str) and 0 < len(name) <= MAX_TEXT for name in types):
            raise QueryMalformed(reason="a type of type_values is not a text of normal length")
        alternatives.append(tuple(types))
    return tuple(alternatives)


def _claims(credential: Mapping[str, Any]) -> tuple[ClaimQuery, ...]:
    if "claims" not in credential:
        return ()
    claims = credential["claims"]
    if not isinstance(claims, list) or not 1 <= len(claims) <= MAX_CLAIMS:
        raise QueryMalformed(reason="claims is empty or too long")
    parsed: dict[tuple[Step, ...], ClaimQuery] = {}
    for claim in claims:
        if not isinstance(claim, Mapping):
            raise QueryMalformed(reason="a claim query is not an object")
        query = ClaimQuery(_path(claim.get("path")), _values(claim))
        # §6.1: wallets should ignore that a claim is asked for twice.
        parsed.setdefault(query.path, query)
    return tuple(parsed.values())


def _path(path: object) -> tuple[Step, ...]:
    if not isinstance(path, list) or not 1 <= len(path) <= MAX_PATH:
        raise QueryMalformed(reason="a path is missing, empty or too long")
    for step in path:
        if step is None or (isinstance(step, str) and 0 < len(step) <= MAX_TEXT):
            continue
        if type(step) is not int or step < 0:
            raise QueryMalformed(reason="a path holds something else than names, positions, null")
    return tuple(path)


def _values(claim: Mapping[str, Any]) -> tuple[Primitive, ...]:
    if "values" not in claim:
        return ()
    values = claim["values"]
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        raise QueryMalformed(reason="values is empty or too long")
    if not all(isinstance(value, str | int) and len(str(value)) <= MAX_TEXT for value in values):
        raise QueryMalformed(reason="values holds something else than texts, integers, booleans")
    return tuple(values)


# Paths and pointers


def _path_of(pointer: str) -> tuple[Step, ...]:
    if not pointer.startswith("/"):
        raise PointerInvalid(pointer=pointer)
    steps = [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
    return tuple(int(step) if _POSITION.fullmatch(step) else step for step in steps)


def _pointer(path: Iterable[Step]) -> str:
    steps = ("*" if step is None else str(step) for step in path)
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _select(credential: Mapping[str, Any], path: tuple[Step, ...]) -> dict[str, Any]:
    """The elements that `path` selects, by JSON pointer; empty if it selects none (§7.1.1)."""
    selected: dict[str, Any] = {"": credential}
    for step in path:
        below: dict[str, Any] = {}
        for pointer, value in selected.items():
            if isinstance(step, str):
                if not isinstance(value, Mapping):
                    return {}
                if step in value:
                    below[pointer + _pointer((step,))] = value[step]
                continue
            if not isinstance(value, list):
                return {}
            positions = range(len(value)) if step is None else (step,)
            for position in positions:
                if position < len(value):
                    below[f"{pointer}/{position}"] = value[position]
        selected = below
    return selected


def _unfolded(credential: Mapping[str, Any], pointer: str, value: object) -> list[str]:
    """`pointer`, or the claims under it if it names a whole object above claims."""
    if not isinstance(value, Mapping | list):
        return [pointer]
    types = credential.get("type")
    try:
        scenario = scenario_for_types(types if isinstance(types, list) else ())
    except UnknownScenario:
        return _leaves(pointer, value)
    known = [claim.pointer for claim in scenario.claims]
    if pointer in known:
        return [pointer]
    below = [
        claim
        for claim in known
        if claim.startswith(pointer + "/") and _select(credential, _path_of(claim))
    ]
    return below or _leaves(pointer, value)


def _leaves(pointer: str, value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [
            leaf
            for name, member in value.items()
            for leaf in _leaves(pointer + _pointer((name,)), member)
        ]
    if isinstance(value, list):
        return [
            leaf
            for position, element in enumerate(value)
            for leaf in _leaves(f"{pointer}/{position}", element)
        ]
    return [pointer]
