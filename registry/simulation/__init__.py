"""A whole consortium in one process, and dishonest parties in it."""
