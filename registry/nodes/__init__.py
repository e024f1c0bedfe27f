"""A department's node: what it checks, what it keeps, whom it hears."""
