"""Every check, one after the other; one that fails unexpectedly is itself a finding."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from bot.domain.errors import BotSettingsError
from bot.domain.settings import Settings
from bot.operations.doctor import documents, kept, machine, model, slack
from bot.operations.doctor.finding import Check, Finding, wrong

_log = logging.getLogger(__name__)

CHECKS: dict[str, Check] = {
    "secrets": machine.secrets,
    "folders": machine.folders,
    "disk": machine.disk,
    "ports": machine.ports,
    "sources": documents.sources,
    "audiences": documents.audiences,
    "embedder": kept.embedder,
    "index": kept.index,
    "records": kept.records,
    "model": model.model,
    "slack": slack.slack,
}


def examine(settings: Settings, only: Sequence[str] = ()) -> Iterator[Finding]:
    """All findings, or those of ``only`` some checks. Raises BotSettingsError for unknown ones."""
    unknown = sorted(set(only) - set(CHECKS))
    if unknown:
        raise BotSettingsError(
            f"There is no check {', '.join(unknown)}. There are: {', '.join(CHECKS)}."
        )
    for name, check in CHECKS.items():
        if not only or name in only:
            yield from _carried_out(name, check, settings)


def _carried_out(name: str, check: Check, settings: Settings) -> Iterator[Finding]:
    try:
        yield from check(settings)
    except Exception as error:  # noqa: BLE001 - the other checks shall be carried out all the same
        _log.info("The check %s failed.", name, exc_info=True)
        yield wrong(
            name,
            f"This check itself failed ({type(error).__name__}: {error}).",
            "Run `lorebot --verbose doctor` and report what it says.",
        )
