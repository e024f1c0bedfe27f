"""The table of cryptosuites. Adding one adds a line here and touches no other suite."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from credentials.proofs.ecdsa_sd_2023 import ECDSA_SD_2023
from credentials.proofs.jcs import ECDSA_JCS_2019, EDDSA_JCS_2022
from credentials.proofs.rdfc import ECDSA_RDFC_2019, EDDSA_RDFC_2022
from credentials.proofs.suite import Cryptosuite

_SUITES: Final[tuple[Cryptosuite, ...]] = (
    EDDSA_RDFC_2022,
    ECDSA_RDFC_2019,
    EDDSA_JCS_2022,
    ECDSA_JCS_2019,
    ECDSA_SD_2023,
)

CRYPTOSUITES: Final[Mapping[str, Cryptosuite]] = MappingProxyType(
    {suite.name: suite for suite in _SUITES}
)
