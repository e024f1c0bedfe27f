"""The tables of cryptosuites. Adding one adds a line here and touches no other suite.

`CRYPTOSUITES` are those that rest on published standards; they are the default everywhere. Who
wants others says so: `WITH_EXPERIMENTAL` has those whose drafts still move, `WITH_LEGACY` those
that the standards keep for what was signed before, `ALL_CRYPTOSUITES` everything there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from credentials.proofs.bbs_2023 import BBS_2023
from credentials.proofs.ecdsa_jcs_2019 import ECDSA_JCS_2019
from credentials.proofs.ecdsa_rdfc_2019 import ECDSA_RDFC_2019
from credentials.proofs.ecdsa_sd_2023 import ECDSA_SD_2023
from credentials.proofs.ed25519_signature_2020 import ED25519_SIGNATURE_2020
from credentials.proofs.ed25519_signature_2020 import FORM as ED25519_SIGNATURE_2020_FORM
from credentials.proofs.eddsa_jcs_2022 import EDDSA_JCS_2022
from credentials.proofs.eddsa_rdfc_2022 import EDDSA_RDFC_2022
from credentials.proofs.mldsa44_jcs_2024 import MLDSA44_JCS_2024
from credentials.proofs.mldsa44_rdfc_2024 import MLDSA44_RDFC_2024
from credentials.proofs.suite import Cryptosuite, ProofForm
from schemas.names import CONTEXT_V2

_SUITES: Final[tuple[Cryptosuite, ...]] = (
    EDDSA_RDFC_2022,
    ECDSA_RDFC_2019,
    EDDSA_JCS_2022,
    ECDSA_JCS_2019,
    ECDSA_SD_2023,
    BBS_2023,
)

_EXPERIMENTAL: Final[tuple[Cryptosuite, ...]] = (
    MLDSA44_RDFC_2024,
    MLDSA44_JCS_2024,
)

_LEGACY: Final[tuple[Cryptosuite, ...]] = (ED25519_SIGNATURE_2020,)


def _table(*suites: Cryptosuite) -> Mapping[str, Cryptosuite]:
    return MappingProxyType({suite.name: suite for suite in suites})


CRYPTOSUITES: Final = _table(*_SUITES)
WITH_EXPERIMENTAL: Final = _table(*_SUITES, *_EXPERIMENTAL)
WITH_LEGACY: Final = _table(*_SUITES, *_LEGACY)
ALL_CRYPTOSUITES: Final = _table(*_SUITES, *_EXPERIMENTAL, *_LEGACY)

EXPERIMENTAL: Final = frozenset(suite.name for suite in _EXPERIMENTAL)
LEGACY: Final = frozenset(suite.name for suite in _LEGACY)

DATA_INTEGRITY: Final = ProofForm(
    "DataIntegrityProof",
    "https://w3id.org/security/data-integrity/v2",
    defined_by=frozenset({CONTEXT_V2}),
)

PROOF_FORMS: Final[Mapping[str, ProofForm]] = MappingProxyType(
    {form.type: form for form in (DATA_INTEGRITY, ED25519_SIGNATURE_2020_FORM)}
)
"""The types of proofs there are. One that fixes its suite is met only by who wants that suite."""
