"""Health of what the bot depends on, probed anew each time and told in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait

from bot.domain.errors import LorebotError
from bot.telemetry.single_flight import SingleFlight
from indexer.errors import IndexerError

Probe = Callable[[], str]
"""Returns what is the matter, or ""; may raise LorebotError or IndexerError instead, or hang."""

_LATE = "It did not answer in time: look whether it hangs, or has too much to do."


class Health:
    """Safe from several threads."""

    def __init__(self, probes: Mapping[str, Probe], *, patience_seconds: float = 3.0) -> None:
        """One probe per part, such as slack, index, records, model; all are waited for together.

        The patience is less than that of the metrics, which tell of health, too.
        """
        self._probes = {part: SingleFlight(probe) for part, probe in probes.items()}
        self._patience_seconds = patience_seconds

    def problems(self) -> dict[str, str]:
        """A sentence by part, "" if it is well. A part that hangs is not asked again meanwhile."""
        answers = {part: probe.ask() for part, probe in self._probes.items()}
        wait(answers.values(), self._patience_seconds)
        return {part: _told(answer) for part, answer in answers.items()}


def _told(answer: Future[str]) -> str:
    if not answer.done():
        return _LATE
    try:
        return answer.result()
    except (LorebotError, IndexerError) as error:
        return str(error)
