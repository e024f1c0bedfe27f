"""Credentials as files: the kernel's verifying, deriving and issuing as commands.

For whoever has a credential and no counter, wallet or chain. `verify` accepts what its issuer
signed, is in force, and has no status that speaks against it, judged with what the command line
names and nothing else: no network, no storage, no accreditation. What cannot be judged with it is
undetermined, never accepted.
"""
