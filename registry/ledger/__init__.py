"""What stands on the chains, and the rules by which it may: entries, seals, genesis, governance."""
