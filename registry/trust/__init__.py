"""Trust bundles: what the chain says, verified, in one file that can travel on a USB stick."""

from registry.ledger.genesis import Genesis, GenesisNode
from registry.ledger.records import Accreditation, Entitlement, SideChain
from registry.trust.anchors import AnchorFound, LongProof
from registry.trust.bundle import TrustBundle
from registry.trust.load import StatusListSnapshot

__all__ = [
    "Accreditation",
    "AnchorFound",
    "Entitlement",
    "Genesis",
    "GenesisNode",
    "LongProof",
    "SideChain",
    "StatusListSnapshot",
    "TrustBundle",
]
