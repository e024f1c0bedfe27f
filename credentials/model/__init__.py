"""The VC Data Model: what makes an object a credential or a presentation.

Guarantee: a document that passes has the members that the model requires, in the shapes that it
allows, so code behind this check can read them without asking again. Errors name the place by
JSON pointer and never quote a value. Every MUST of the model that the document alone can break
stands as a check beside its clause; those about meaning (terms, types, protected words) are the
strict gate's, those about signatures the proofs', and those about what stands elsewhere are in
`credentials.related_resources`, `credentials.status` and the schemas.

Not guaranteed: that anything in the document is true, signed, in force, or even defined by its
contexts.

Version 2.0 is the model. Documents of 1.1 pass only where the caller names it: `models=ALL_MODELS`.

Sources: Verifiable Credentials Data Model 2.0 (W3C Recommendation, 2025-05-15) and 1.1
(2022-03-03).
"""

from __future__ import annotations

from credentials.model.credential import check_credential, credential_types, issuer_id
from credentials.model.members import MAX_URL, is_url
from credentials.model.period import check_validity, validity_period
from credentials.model.presentation import (
    check_enveloped_credential,
    check_enveloped_presentation,
    check_presentation,
    is_enveloped,
)
from credentials.model.versions import ALL_MODELS, CURRENT_MODEL, Model, model_of

__all__ = [
    "ALL_MODELS",
    "CURRENT_MODEL",
    "MAX_URL",
    "Model",
    "check_credential",
    "check_enveloped_credential",
    "check_enveloped_presentation",
    "check_presentation",
    "check_validity",
    "credential_types",
    "is_enveloped",
    "is_url",
    "issuer_id",
    "model_of",
    "validity_period",
]
