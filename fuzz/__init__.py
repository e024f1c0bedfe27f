"""Coverage-guided fuzzing: bytes nobody would send, until something other than a refusal comes out.

A target reads untrusted bytes with one group of parsers. It holds when each input is taken or
refused with an error of the package's root, within `run.SECONDS_PER_INPUT`. Where a signature
would stop every mutated input at the door, the target signs what it was given, so that what
stands behind the signature is tried as well: an issuer or a log may be the attacker.

What a run finds is only as good as its length; no finding proves nothing.
"""
