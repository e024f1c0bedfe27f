"""The tables of cryptosuites. Adding one adds a line here and touches no other suite.

`CRYPTOSUITES` are those that rest on published standards; they are the default everywhere. Who
wants the experimental ones says so, by passing `ALL_CRYPTOSUITES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from credentials.proofs.bbs_2023 import BBS_2023
from credentials.proofs.ecdsa_sd_2023 import ECDSA_SD_2023
from credentials.proofs.jcs import ECDSA_JCS_2019, EDDSA_JCS_2022
from credentials.proofs.mldsa44 import MLDSA44_JCS_2024, MLDSA44_RDFC_2024
from credentials.proofs.rdfc import ECDSA_RDFC_2019, EDDSA_RDFC_2022
from credentials.proofs.suite import Cryptosuite

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

CRYPTOSUITES: Final[Mapping[str, Cryptosuite]] = MappingProxyType(
    {suite.name: suite for suite in _SUITES}
)

ALL_CRYPTOSUITES: Final[Mapping[str, Cryptosuite]] = MappingProxyType(
    {**CRYPTOSUITES, **{suite.name: suite for suite in _EXPERIMENTAL}}
)
