"""`digestMultibase`: the digest of a resource, as credentials and the chain record it.

Form: multibase `u` (base64url without padding) over a multihash, that is the bytes 0x12 0x20
(SHA2-256, 32 bytes) and the digest, so every value begins with `uEi` (Controlled Identifiers 1.0
§2.4 and §2.5; VC Data Integrity 1.0 §2.6 wants a multihash). Examples of VCDM 2.0 §5.3 that leave
the multihash header out are not accepted: one form, one comparison.

The digest is over exact bytes. A file that is reformatted has another digest, and that is meant.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

SHA2_256_HEADER: Final = b"\x12\x20"


def digest_multibase(data: bytes) -> str:
    """The `digestMultibase` of `data` (47 characters)."""
    multihash = SHA2_256_HEADER + hashlib.sha256(data).digest()
    return "u" + base64.urlsafe_b64encode(multihash).rstrip(b"=").decode("ascii")
