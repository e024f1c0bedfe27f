"""What bbs-2023 can be asked beyond what every suite can: one object for each step.

They go through the general functions: ``add_proof(…, suite_options=BbsIssuing(commitment=…))``,
``derive(…, suite_options=BbsShowing(presentation_header=nonce, holder=…))``,
``verify_proof(…, suite_options=BbsChecking(presentation_header=nonce))``. None shows a secret in
its `repr`. Source: VC-DI-BBS §3.4, §3.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from credentials.bbs import Opening, RandomScalars
from credentials.bbs.scheme import fresh_scalars
from credentials.proofs.suite import SuiteOptions

NAME: Final = "bbs-2023"


@dataclass(frozen=True)
class BbsIssuing(SuiteOptions):
    """For the issuer: the commitment that a holder made with `credentials.bbs.commit`.

    `pseudonyms` says that it commits to a nym secret too. `nym_entropy` (32 bytes) is given to
    issue again for the same pseudonyms, else it is random; `hmac_key` for test vectors only.
    """

    cryptosuite: ClassVar[str] = NAME

    commitment: bytes | None = None
    pseudonyms: bool = False
    nym_entropy: bytes | None = field(default=None, repr=False)
    hmac_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class BbsShowing(SuiteOptions):
    """For the holder who derives.

    `presentation_header` binds the proof to an occasion; `holder` is what the holder committed to;
    `nym_domain` the context of the pseudonym, such as the verifier's identifier.
    """

    cryptosuite: ClassVar[str] = NAME

    presentation_header: bytes = b""
    holder: Opening | None = None
    nym_domain: str | None = None
    random_scalars: RandomScalars = field(default=fresh_scalars, repr=False)


@dataclass(frozen=True)
class BbsChecking(SuiteOptions):
    """For whoever verifies.

    Of a derived proof: the `presentation_header` that it must have been made for, or None if any
    will do, and the `nym_domain` of the pseudonym that was asked for. Of a base proof: `holder`,
    what its holder committed to.
    """

    cryptosuite: ClassVar[str] = NAME

    presentation_header: bytes | None = None
    nym_domain: str | None = None
    holder: Opening | None = None
