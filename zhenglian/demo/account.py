"""The account of the demonstration: step by step for people, one JSON line a step for machines."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from schemas.texts import Texts


@dataclass
class Account:
    """Tells each step as it happens, and keeps all of them for `summary.json`."""

    texts: Texts
    as_json: bool
    steps: list[dict[str, Any]] = field(default_factory=list)
    _console: Console = field(default_factory=lambda: Console(highlight=False))
    _begun: float = field(default_factory=time.perf_counter)
    _last: float = field(default_factory=time.perf_counter)

    def chapter(self, title: str) -> None:
        if not self.as_json:
            self._console.print(f"\n[bold]{title}[/]")

    def step(self, name: str, sentence: str, **facts: Any) -> None:
        """Tell one step that has just succeeded. `name` is stable; `facts` are for machines."""
        now = time.perf_counter()
        taken, self._last = now - self._last, now
        entry = {"step": name, "says": sentence, "seconds": round(taken, 3), **facts}
        self.steps.append(entry)
        if self.as_json:
            sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            self._console.print(f"  [green]✓[/] {sentence} [dim]({taken:.1f} s)[/]", soft_wrap=True)

    def quote(self, text: str) -> None:
        if not self.as_json:
            self._console.print(f"      [dim]{text}[/]", soft_wrap=True)

    def say(self, text: str = "") -> None:
        if not self.as_json:
            self._console.print(text, soft_wrap=True)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun
