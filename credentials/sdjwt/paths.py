"""How a claim inside a token is named: by JSON pointer or by claim path.

A pointer is a text such as `/address/region` (RFC 6901). A claim path is a list of names, array
indices and None, which stands for every element of an array (SD-JWT VC, "Claim Path"; OpenID4VP
§7). A path names the claim together with everything below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from credentials.errors import LimitExceeded, PointerInvalid
from credentials.limits import MAX_POINTERS

Path = tuple[str | int | None, ...]
ClaimPath = str | Sequence[str | int | None]

MAX_PATH: Final = 32
"""Steps of one path."""
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_ESCAPE: Final = re.compile(r"~(?![01])")


def as_path(path: ClaimPath) -> Path:
    """`path` as steps. Raises PointerInvalid, LimitExceeded.

    A step that came from a pointer is always a text; where an array stands, `"0"` is its first
    element.
    """
    steps: Path
    if isinstance(path, str):
        if not path.startswith("/") or _ESCAPE.search(path):
            raise PointerInvalid(pointer=path)
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/"))
    else:
        steps = tuple(path)
        if not steps or not all(_is_step(step) for step in steps):
            raise PointerInvalid(pointer=show_path(steps))
    if len(steps) > MAX_PATH:
        raise LimitExceeded(what="claim path", limit=f"{MAX_PATH} steps")
    return steps


def _is_step(step: object) -> bool:
    return step is None or isinstance(step, str) or (type(step) is int and step >= 0)


def as_paths(paths: Iterable[ClaimPath]) -> tuple[Path, ...]:
    """Each of `paths` as steps. Raises PointerInvalid, LimitExceeded."""
    steps = tuple(as_path(path) for path in paths)
    if len(steps) > MAX_POINTERS:
        raise LimitExceeded(what="selection", limit=f"{MAX_POINTERS} claims")
    return steps


def as_index(step: str | int) -> int | None:
    """The index that `step` names in an array, in its one spelling (RFC 6901 §4)."""
    if isinstance(step, int):
        return step
    return int(step) if _INDEX.fullmatch(step) else None


def show_path(path: Iterable[object]) -> str:
    """`path` as a JSON pointer, for messages; every element of an array is `*`."""
    return "".join(
        "/" + ("*" if step is None else str(step).replace("~", "~0").replace("/", "~1"))
        for step in path
    )


def covers(wanted: Path, found: Path) -> bool:
    """Whether `wanted` names `found`, something above it or something below it."""
    # A loop, not `all` of a generator: it runs for every claim of every presentation.
    for step, place in zip(wanted, found, strict=False):
        if step == place:
            continue
        if not isinstance(place, int) or (step is not None and step != str(place)):
            return False
    return True
