"""The sequencer: its door, its chains, its loop, its founding, and who stands by."""
