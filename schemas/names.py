"""Addresses that name Zhenglian's contexts, schemas and vocabulary.

They are names, not locations: nothing is ever fetched from them. `.example` is reserved
(RFC 2606), so no stranger can come to own one.
"""

from typing import Final

CONTEXT_V2: Final = "https://www.w3.org/ns/credentials/v2"
RESIDENT_CONTEXT: Final = "https://zhenglian.example/contexts/resident-identity/v1"
PRESENTATION_CONTEXT: Final = "https://zhenglian.example/contexts/presentation/v1"
RESIDENT_SCHEMA: Final = "https://zhenglian.example/schemas/resident-identity/v1"
VOCABULARY: Final = "https://zhenglian.example/ns/"

# Service types in the DID documents of issuers: where credentials are offered and statuses read.
ISSUER_SERVICE: Final = "OpenID4VCI"
STATUS_SERVICE: Final = "BitstringStatusList"
