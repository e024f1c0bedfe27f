"""The command palette: what the screen beneath can do, by name, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from textual.types import IgnoreReturnCallbackType


class WalletCommands(Provider):
    """Every enabled binding of the screen and of the app is a command; so none is forgotten."""

    def _found(self) -> Iterator[tuple[str, str, IgnoreReturnCallbackType]]:
        for found in self.screen.active_bindings.values():
            binding = found.binding
            if not _offered(found):
                continue
            shown = self.app.get_key_display(binding)
            run = cast(
                "IgnoreReturnCallbackType",
                partial(self.app.run_action, binding.action, found.node),
            )
            yield binding.description, f"{found.tooltip or binding.description} · {shown}", run

    async def discover(self) -> Hits:
        for name, help_text, run in self._found():
            yield DiscoveryHit(name, run, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, help_text, run in self._found():
            score = max(matcher.match(name), matcher.match(help_text) / 2)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=help_text)


def _offered(found: ActiveBinding) -> bool:
    """The wallet's own bindings have identifiers; the keys of a text field are no commands."""
    return found.enabled and found.binding.id not in {None, "commands"}
