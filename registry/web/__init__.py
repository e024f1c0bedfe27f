"""The HTTP faces: how every server of this project listens, and how others are asked."""
