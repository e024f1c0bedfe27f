"""`python -m zhenglian.demo.tethered …`: `zl` in a process that ends when its parent does.

The demonstration ends its servers itself; this is for the case that it is killed and cannot.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

from zhenglian.cli import main

PARENT: Final = "ZL_TETHER"
"""The variable that names the parent's process id."""

LOOK_S: Final = 1.0


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, args=(int(os.environ[PARENT]),), daemon=True).start()
    main()
