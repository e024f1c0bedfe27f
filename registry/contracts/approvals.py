"""Approvals: nodes that agree to a change of the rules, by keys of their own.

A node's approval key signs nothing else than approvals (one key, one statement), so it may lie
with a person of the department while the cosigning key lies on a server. Its public part stands
in the genesis. What is signed is the whole entry but its approvals, bound to one main chain:
name, version and the version that it replaces are in it, so no approval serves twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import rfc8785

from credentials.errors import CredentialError
from credentials.keys import Signer
from registry.ledger.genesis import Genesis
from registry.ledger.members import approver_key, decode_digest, encode_digest
from schemas.errors import Phrase

APPROVAL_PREFIX: Final = b"zhenglian/contract-approval/v1\x00"


def approved_bytes(origin: str, body: Mapping[str, Any]) -> bytes:
    """What an approval signs: the contract entry without its approvals, on this main chain."""
    rest = {member: value for member, value in body.items() if member != "approvals"}
    return APPROVAL_PREFIX + origin.encode() + b"\x00" + rfc8785.dumps(rest)


def approve(genesis: Genesis, node: str, body: Mapping[str, Any], signer: Signer) -> dict[str, str]:
    """The approval of `node` for a contract entry."""
    return {"node": node, "sig": encode_digest(signer.sign(approved_bytes(genesis.origin, body)))}


def wrong_approval(genesis: Genesis, body: Mapping[str, Any]) -> str | None:
    """What is wrong with the approvals of a contract entry, if anything."""
    approvers = {node.name: node.approver for node in genesis.nodes}
    for approval in body["approvals"]:
        approver = approvers.get(approval["node"])
        if approver is None:
            return Phrase("{node} is no node that can approve", node=approval["node"])
        try:
            signature = decode_digest(approval["sig"], 64)
            approver_key(approver).verify(signature, approved_bytes(genesis.origin, body))
        except (CredentialError, ValueError):
            return Phrase("the approval of {node} does not verify", node=approval["node"])
    return None
