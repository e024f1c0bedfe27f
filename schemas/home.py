"""Where each role keeps its files: `$ZL_HOME/<role>`, else the platform's data directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from platformdirs import user_data_dir


def role_home(role: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of `role` ("issuer", "wallet", "nodes/public-security" …); not created here."""
    base = environ.get("ZL_HOME") or user_data_dir("zhenglian", appauthor=False)
    return Path(base).expanduser() / role
