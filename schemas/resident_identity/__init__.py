"""The resident identity scenario: its schema, its JSON-LD context and its display texts, as data."""
