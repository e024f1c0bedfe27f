"""Contracts that tests put in force or rehearse, each the shortest of its kind."""

from __future__ import annotations

# Without rules: it permits nothing either.
FORBID_NOTHING = ""

ALLOW = '@id("allow") permit(principal, action == Action::"anchor", resource);'

# For the contract of contracts: the operator needs no node's approval.
OPEN = '@id("all") permit(principal is Operator, action == Action::"replaceContract", resource);'
