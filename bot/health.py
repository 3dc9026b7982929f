"""Whether everything the bot needs is there: asked anew each time, told in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.errors import LorebotError
from indexer.errors import IndexerError

Probe = Callable[[], str]
"""Returns what is the matter, or ""; may raise LorebotError or IndexerError instead."""


class Health:
    def __init__(self, probes: Mapping[str, Probe]) -> None:
        """A probe a part, such as slack, index, records, model."""
        self._probes = dict(probes)

    def problems(self) -> dict[str, str]:
        """By part, "" where all is well."""
        return {part: _asked(probe) for part, probe in self._probes.items()}


def _asked(probe: Probe) -> str:
    try:
        return probe()
    except (LorebotError, IndexerError) as error:
        return str(error)
