"""The front door: the `zl` command and the demonstration; wires the roles, decides nothing."""
