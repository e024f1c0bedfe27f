"""The root of the registry's errors."""

from __future__ import annotations

from schemas.errors import ZhenglianError


class RegistryError(ZhenglianError):
    """Root of the registry's errors."""

    code = "ZL-REGISTRY"
    message = "The registry failed."
    hint = "Look at the registry's log for the cause."
