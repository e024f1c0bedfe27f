"""Verifying a credential: its proofs, and that they are the issuer's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from credentials.canonical import Canonicalizer, default_canonicalizer
from credentials.dids import ASSERTION, Resolver
from credentials.errors import ControllerMismatch
from credentials.model import CURRENT_MODEL, Model, check_credential, credential_types, issuer_id
from credentials.proofs.integrity import VerifiedDocument, verify_proof
from credentials.proofs.suite import Cryptosuite, SuiteOptions
from credentials.proofs.table import CRYPTOSUITES
from credentials.related_resources import check_related_resources, held_by


@dataclass(frozen=True)
class UnverifiedCredential:
    """A credential that somebody presented. Nothing in `document` may be believed or shown."""

    document: Mapping[str, Any]


@dataclass(frozen=True)
class VerifiedCredential(VerifiedDocument):
    """A credential whose every statement its issuer signed. Made by `verify_credential` alone.

    Says nothing about accreditation, status, validity period, schema or anchor.
    """

    @property
    def issuer(self) -> str:
        """The issuer's identifier: the controller of the key that signed."""
        return issuer_id(self.document)

    @property
    def types(self) -> tuple[str, ...]:
        return credential_types(self.document)


def verify_credential(
    credential: Mapping[str, Any] | UnverifiedCredential,
    *,
    resolver: Resolver,
    now: datetime,
    accept_base: bool = False,
    canonicalizer: Canonicalizer | None = None,
    suites: Mapping[str, Cryptosuite] = CRYPTOSUITES,
    models: frozenset[Model] = CURRENT_MODEL,
    suite_options: SuiteOptions | None = None,
) -> VerifiedCredential:
    """Verify that `credential` is one, and that its issuer made every proof on it.

    `accept_base` is for the holder who receives a selective-disclosure credential.
    Raises ModelViolation, RelatedResourceMismatch, ControllerMismatch, and what `verify_proof`
    raises.
    """
    document = credential.document if isinstance(credential, UnverifiedCredential) else credential
    check_credential(document, models=models)
    if "relatedResource" in document:
        reader = canonicalizer or default_canonicalizer()
        check_related_resources(document, held_by(reader.contexts))
    verified = verify_proof(
        document,
        resolver=resolver,
        now=now,
        purpose=ASSERTION,
        accept_base=accept_base,
        canonicalizer=canonicalizer,
        suites=suites,
        suite_options=suite_options,
    )
    # VC-DI §5.9 leaves the link between issuer and key to the application. Here it is
    # identity: without this check, anyone's valid signature under another's name would pass.
    issuer = issuer_id(document)
    if any(proof.method.controller != issuer for proof in verified.proofs):
        raise ControllerMismatch(role="issuer")
    return VerifiedCredential(verified.document, verified.proofs)
