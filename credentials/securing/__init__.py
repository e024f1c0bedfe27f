"""VC-JOSE-COSE: credentials and presentations as JWT, SD-JWT or COSE, and their envelopes.

`secure` signs, `verify_secured_credential` and `verify_secured_presentation` decide strictly,
`open_signed` checks the proof alone.
"""

from credentials.securing.documents import refuse_unknown_members
from credentials.securing.envelope import Envelope, decode_cose, encode_cose
from credentials.securing.sign import Form, TokenClaims, secure
from credentials.securing.verify import (
    SecuredDocument,
    SignedDocument,
    open_signed,
    verify_secured_credential,
    verify_secured_presentation,
)

__all__ = [
    "Envelope",
    "Form",
    "SecuredDocument",
    "SignedDocument",
    "TokenClaims",
    "decode_cose",
    "encode_cose",
    "open_signed",
    "refuse_unknown_members",
    "secure",
    "verify_secured_credential",
    "verify_secured_presentation",
]
