"""The front door: the `zl` command and the demonstration. It wires the roles and decides nothing."""
