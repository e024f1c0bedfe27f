"""Presentations, and what is enveloped in them or around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from credentials.errors import ModelViolation
from credentials.model.credential import check_credential
from credentials.model.members import (
    as_object,
    check_context,
    check_party,
    check_proof_types,
    check_type,
    entries,
    optional_id,
    type_names,
    typed,
)
from credentials.model.versions import CURRENT_MODEL, Model
from schemas.errors import Phrase
from schemas.names import CONTEXT_V2

ENVELOPED_CREDENTIAL: Final = "EnvelopedVerifiableCredential"
ENVELOPED_PRESENTATION: Final = "EnvelopedVerifiablePresentation"

# RFC 2397 §3: a media type, parameters, a comma, and something in it, all in visible ASCII.
_DATA_URL: Final = re.compile(
    r"data:[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:;[!-+\--:<-~]+)*,[!-~]+", re.ASCII
)


def is_enveloped(document: object, kind: str = ENVELOPED_CREDENTIAL) -> bool:
    """Whether `document` calls itself an enveloped credential, or what else `kind` says."""
    named = document.get("type") if isinstance(document, Mapping) else None
    return kind in named if isinstance(named, list) else kind == named


def check_presentation(
    document: object, *, models: frozenset[Model] = CURRENT_MODEL, enveloped: bool = False
) -> None:
    """Raise ModelViolation unless `document` is a presentation (VCDM §4.13) of one of `models`.

    `enveloped` also lets enveloped credentials in (§4.13.1), for a caller who opens them: what
    they hold is not looked at here.
    """
    presentation = as_object(document, "")
    check_context(presentation, models)
    check_type(presentation, "", "VerifiablePresentation")
    optional_id(presentation, "")
    check_party(presentation, "holder", required=False)
    if "termsOfUse" in presentation:
        for pointer, entry in entries(presentation["termsOfUse"], "/termsOfUse"):
            typed(entry, pointer)
    if "proof" in presentation:
        check_proof_types(presentation)
    if "verifiableCredential" not in presentation:
        return
    for pointer, entry in entries(presentation["verifiableCredential"], "/verifiableCredential"):
        try:
            if enveloped and is_enveloped(entry):
                check_enveloped_credential(entry)
            else:
                check_credential(entry, models=models)
        except ModelViolation as error:
            raise ModelViolation(
                pointer=f"{pointer}{error.params['pointer']}", reason=error.params["reason"]
            ) from error


def check_enveloped_credential(document: object) -> None:
    """Raise ModelViolation unless `document` is an enveloped credential (VCDM §4.13.1)."""
    _check_enveloped(document, ENVELOPED_CREDENTIAL)


def check_enveloped_presentation(document: object) -> None:
    """Raise ModelViolation unless `document` is an enveloped presentation (VCDM §4.13.2)."""
    _check_enveloped(document, ENVELOPED_PRESENTATION)


def _check_enveloped(document: object, kind: str) -> None:
    envelope: Mapping[str, Any] = as_object(document, "")
    # A context that defines the three terms; only the base context does, and it may stand alone.
    if envelope.get("@context") != CONTEXT_V2:
        check_context(envelope)
    if type_names(envelope, "") != (kind,):
        raise ModelViolation(pointer="/type", reason=Phrase("it does not name {kind}", kind=kind))
    name = envelope.get("id")
    if not isinstance(name, str) or not _DATA_URL.fullmatch(name):
        raise ModelViolation(pointer="/id", reason="it is not a data: URL with a secured document")
    # Whatever else stood here would be signed by nobody and read as if it were.
    if not {"@context", "type", "id"}.issuperset(envelope):
        raise ModelViolation(pointer="", reason="it has members beside its envelope")
