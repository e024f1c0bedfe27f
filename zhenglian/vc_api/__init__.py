"""The VC-API server: the kernel's operations behind the HTTP interface that test suites speak.

It exists so that others can examine the kernel with tools of their own, and for trying things
out. It is no part of the journey of a credential: what it issues is accredited by nobody.

Guarantees, in its product mode: what `verify` answers `verified` holds in every respect that can
be judged without a network; what cannot be judged is not answered `verified`. In the proof-only
mode it judges structure and proofs alone, which is what the official suites ask for, and says so
in every answer. It listens on this machine only, fetches nothing, keeps nothing on disk but a
key file that it was given, and logs no document.
"""
