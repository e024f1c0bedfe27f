"""The HTTP faces, and how every server of this project listens."""
