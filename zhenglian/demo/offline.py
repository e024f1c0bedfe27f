"""`python -m zhenglian.demo.offline …`: `zl` in a process that cannot open a socket.

The interpreter's audit hook refuses every socket operation, and no code can remove a hook. So
what this process accepts, it accepted from what it had on disk.
"""

from __future__ import annotations

import sys

from zhenglian.cli import main


class NetworkForbidden(RuntimeError):
    """Something tried to use the network although the process runs offline."""


def _refuse(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith("socket."):
        raise NetworkForbidden(event)


if __name__ == "__main__":
    sys.addaudithook(_refuse)
    main()
