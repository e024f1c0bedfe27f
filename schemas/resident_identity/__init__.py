"""The resident identity scenario: schema, JSON-LD context and display texts as data, rules as code.

`schema.json` and `context.jsonld` are published by digest of their exact bytes; reformatting one
makes another version of it.
"""

from schemas.resident_identity.rules import AGE_LIMITS, age_claims, check

__all__ = ["AGE_LIMITS", "age_claims", "check"]
