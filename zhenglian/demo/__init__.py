"""The demonstration: the whole journey of one credential, with real processes on this machine."""
