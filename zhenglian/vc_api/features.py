"""What an issuer may be asked for beyond a plain proof: bbs-2023 bound to the holder's secrets.

The issuer's half of VC-DI-BBS §3.5.5: it signs over a commitment that the holder made. The
holder's half needs the secret, which has no business on a server, so there is none of it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from credentials.errors import EncodingInvalid, LimitExceeded
from credentials.keys import Signer
from credentials.multibase import multibase_decode
from credentials.proofs import CRYPTOSUITES, bbs_2023
from credentials.proofs.bbs_2023 import BbsSuite
from credentials.proofs.suite import Cryptosuite, ProofInput
from zhenglian.vc_api.errors import CommitmentMissing, FeatureUnavailable

OPTIONS: Final = ("featureOption", "commitmentWithProof")

# Whether the holder commits to a nym secret too.
_COMMITTED: Final[Mapping[str, bool]] = {"anonymous_holder_binding": False, "pseudonym": True}


@dataclass(frozen=True)
class _Committed(BbsSuite):
    """bbs-2023 over one holder's commitment."""

    commitment: bytes = b""
    pseudonyms: bool = False

    def sign(
        self, proof_input: ProofInput, signer: Signer, mandatory_pointers: Sequence[str]
    ) -> str:
        return bbs_2023.sign_base(
            proof_input,
            signer,
            mandatory_pointers,
            commitment=self.commitment,
            pseudonyms=self.pseudonyms,
        )


def suites_for(cryptosuite: str, options: Mapping[str, Any]) -> Mapping[str, Cryptosuite]:
    """The table to sign with: the kernel's, or one with what `options` ask for.

    Raises FeatureUnavailable for a feature that the cryptosuite does not have, and
    CommitmentMissing for one that comes without its commitment (VC-DI-BBS §3.5.1).
    """
    feature = options.get("featureOption", "baseline")
    if feature == "baseline":
        if "commitmentWithProof" in options:
            raise CommitmentMissing
        return CRYPTOSUITES
    if cryptosuite != bbs_2023.NAME or feature not in _COMMITTED:
        raise FeatureUnavailable
    try:
        commitment = multibase_decode(options["commitmentWithProof"], allowed="u")
    except (KeyError, TypeError, AttributeError, EncodingInvalid, LimitExceeded) as error:
        raise CommitmentMissing from error
    suite = CRYPTOSUITES[cryptosuite]
    return {
        cryptosuite: _Committed(
            suite.name,
            suite.key_types,
            commitment=commitment,
            pseudonyms=_COMMITTED[feature],
        )
    }
