"""C2SP's formats and the mathematics of Merkle trees: bytes in, values out, no state."""
