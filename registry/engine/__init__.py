"""One log, whoever keeps it: written, read, counted, looked up, checked from its bytes."""
