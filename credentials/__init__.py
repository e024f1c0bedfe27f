"""The kernel: what passes between issuer, holder and verifier, and nothing else.

Bytes in, bytes out: no network, no storage, no clock of its own. What was verified has another
type than what was not, and every refusal is a `CredentialError` named by its cause.

What other packages use of it:

- `credentials.keys`, `dids`, `jose` and `keyfile`: keys, who controls them, signed tokens, secrets
  at rest.
- `credentials.proofs`: `add_proof`, `derive`, `verify_proof`, `verify_credential`.
- `credentials.sdjwt` and `securing`: SD-JWT, SD-JWT VC, and credentials as JWT or COSE.
- `credentials.presentation` and `anchor`: what a holder shows, and what the chain records.
- `credentials.model`, `status`, `token_status` and `query`: the data model, status lists, what is
  asked for.
- `credentials.exchange`: offers, requests, access records and receipts.
- `credentials.qr`: the compact form, as text and as codes.
- `credentials.canonical` and `contexts`: strict JSON, the gate of JSON-LD, canonical statements.

Nothing is imported here, so that a program pays only for what it uses.
"""
