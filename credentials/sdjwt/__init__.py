"""SD-JWT (RFC 9901) and SD-JWT VC: selective disclosure over signed JSON.

`issue`, `HeldSdJwt` and `verify` are the three roles; `vc` adds the rules of SD-JWT VC and the ways
to an issuer's key. Nothing here fetches anything.
"""

from credentials.sdjwt.binding import KeyBinding, KeyBindingCheck, VerifiedKeyBinding
from credentials.sdjwt.issuing import issue
from credentials.sdjwt.paths import ClaimPath, Path
from credentials.sdjwt.presenting import HeldSdJwt, present
from credentials.sdjwt.token import SdJwt
from credentials.sdjwt.verifying import IssuerKey, VerifiedSdJwt, verify, verify_issued

__all__ = [
    "ClaimPath",
    "HeldSdJwt",
    "IssuerKey",
    "KeyBinding",
    "KeyBindingCheck",
    "Path",
    "SdJwt",
    "VerifiedKeyBinding",
    "VerifiedSdJwt",
    "issue",
    "present",
    "verify",
    "verify_issued",
]
