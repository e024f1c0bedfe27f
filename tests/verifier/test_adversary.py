"""A holder who may put anything into a credential and sign it: nothing but the truth is accepted.

The attacker has an honest credential with its key, and the kernel to sign presentations with;
what the kernel refuses to sign goes into a presentation that was signed before.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from credentials.presentation import build_presentation
from credentials.proofs import derive
from schemas.errors import ZhenglianError
from tests.verifier.conftest import DESK, Counter
from verifier.pipeline import Answer

TRIES = 1_500
CLAIMS = {"/credentialSubject/name": "陈思远", "/credentialSubject/ageOver18": True}
NAMES = (
    *("x", "id", "type", "name", "ageOver65", "issuer", "proof", "validUntil", "credentialSubject"),
    *("@id", "@type", "@value", "@language", "@graph", "@reverse", "@nest", "@index", "@context"),
    "https://zhenglian.example/ns/name",
)
TAILS = (" ", "\u200b", "\n", "x", "#x", "?", "/", "\x1b[2J", "\ud800")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[name], (*path, name))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def altered(document: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """`document` with one thing wrong."""
    made = copy.deepcopy(document)
    paths = [path for path in places(made) if path]
    path = rng.choice(paths)
    parent, name = at(made, path[:-1]), path[-1]
    value = parent[name]
    odd = [None, [], {}, "", 0, 1e400, [value], [value, value], {"@set": [value]}, {"@id": "x:y"}]
    match rng.randrange(7):
        case 0:
            del parent[name]
        case 1:
            parent[name] = rng.choice(odd)
        case 2 if isinstance(parent, dict):
            parent[rng.choice(NAMES)] = rng.choice(["x", True, value, {"@value": "x"}])
        case 3 if isinstance(value, str):
            parent[name] = value + rng.choice(TAILS)
        case 4 if isinstance(value, str) and value:
            position = rng.randrange(len(value))
            parent[name] = value[:position] + rng.choice("Az0_-") + value[position + 1 :]
        case 5:
            parent[name] = copy.deepcopy(at(made, rng.choice(paths)))
        case _ if isinstance(parent, dict):
            parent[rng.choice(NAMES)] = parent.pop(name)
    return made


def test_no_altered_credential_is_accepted(counter: Counter, rng: random.Random) -> None:
    proof = counter.proof()
    genuine = derive(counter.credential, list(CLAIMS))

    def present(credential: dict[str, Any], nonce: str) -> dict[str, Any]:
        return build_presentation(
            [credential],
            anchor_proofs=[proof],
            signer=counter.holder,
            domain=DESK,
            challenge=nonce,
            created=counter.now,
            expires=counter.now + timedelta(minutes=5),
        )

    request = counter.ask("name", "ageOver18")
    signed = refused = 0
    for _ in range(TRIES):
        credential = altered(genuine, rng)
        if credential == genuine:
            continue
        try:
            presentation = present(credential, request.nonce)
            signed += 1
        except ZhenglianError:
            presentation = {**present(genuine, request.nonce), "verifiableCredential": [credential]}
            refused += 1
        verdict = counter.desk.verify(presentation)
        if verdict.answer is Answer.ACCEPTED:
            # A list of one proof is the same statement (VC-DI §2.1); nothing else may differ.
            assert credential == {**genuine, "proof": [genuine["proof"]]}
            assert verdict.claims is not None
            assert dict(verdict.claims.values) == CLAIMS
            request = counter.ask("name", "ageOver18")
        else:
            assert verdict.claims is None
    assert signed > 100
    assert refused > 100
    assert counter.desk.verify(present(genuine, request.nonce)).answer is Answer.ACCEPTED


def test_no_altered_presentation_is_accepted(counter: Counter, rng: random.Random) -> None:
    request = counter.ask("name", "ageOver18")
    genuine = counter.answer(request)
    for _ in range(TRIES):
        presentation = altered(genuine, rng)
        if presentation == genuine:
            continue
        verdict = counter.desk.verify(presentation)
        if verdict.answer is Answer.ACCEPTED:
            credential = presentation["verifiableCredential"]
            inner = credential[0] if isinstance(credential, list) else credential
            original = genuine["verifiableCredential"][0]
            assert inner in (original, {**original, "proof": [original["proof"]]}), presentation
            outer = {**presentation, "verifiableCredential": genuine["verifiableCredential"]}
            assert outer == genuine, presentation
            request = counter.ask("name", "ageOver18")
            genuine = counter.answer(request)
        else:
            assert verdict.claims is None
    assert counter.desk.verify(genuine).answer is Answer.ACCEPTED
