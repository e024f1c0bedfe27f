"""Contracts: who may do what, as Cedar policies on the main chain.

They are data: versioned entries that everybody reads and judges by in the same way, default deny.
What is no matter of policy (that a seal verifies, that an issuer anchors in its own name only, that
a closed chain takes nothing) stands in `registry.contracts.permission` and cannot be allowed by any
contract.
"""

from registry.contracts.approvals import approve, approved_bytes, wrong_approval
from registry.contracts.book import Contract, ContractBook
from registry.contracts.engine import Decision, Engine, Party, Request
from registry.contracts.policy import LIBRARY, PolicyText, Rule, library_text, schema_text

__all__ = [
    "LIBRARY",
    "Contract",
    "ContractBook",
    "Decision",
    "Engine",
    "Party",
    "PolicyText",
    "Request",
    "Rule",
    "approve",
    "approved_bytes",
    "library_text",
    "schema_text",
    "wrong_approval",
]
