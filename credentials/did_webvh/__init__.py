"""did:webvh 1.0: identifiers whose whole history can be checked.

The caller brings the log (`did.jsonl`) and, where there are witnesses, their proofs
(`did-witness.json`); `log_url` and `witness_url` say where they are published. Nothing here
fetches them.
"""

from __future__ import annotations

from credentials.did_webvh.log import WebvhLog, WebvhResolver, WebvhVersion, verify_log
from credentials.did_webvh.names import WebvhName, log_url, parse_webvh, witness_url
from credentials.did_webvh.parameters import Parameters, WitnessRule

__all__ = [
    "Parameters",
    "WebvhLog",
    "WebvhName",
    "WebvhResolver",
    "WebvhVersion",
    "WitnessRule",
    "log_url",
    "parse_webvh",
    "verify_log",
    "witness_url",
]
