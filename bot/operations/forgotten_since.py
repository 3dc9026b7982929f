"""Who must not come back with a backup: whoever was forgotten, as far as anything tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.domain.errors import RecordsError
from bot.domain.settings import Settings
from bot.operations.archive import Archive, opened
from bot.records import unfinished
from bot.records.database import engine_at
from bot.records.forgotten import Forgotten, forgotten_in


class Known(BaseModel):
    """``is_whole`` is false where records that may have known of more could not be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    forgotten: tuple[Forgotten, ...] = ()
    is_whole: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        if self.is_whole:
            return ()
        return (
            "The records that were there cannot be read, so who was forgotten since the backup "
            "is not known: name a newer backup with --forgotten, or forget them again.",
        )


def gathered(settings: Settings, archive: Archive, newer: Path | None) -> Known:
    """From the records in place, a restore of them that was cut short, and the archives.

    The archive tells of more than its records where somebody was forgotten while it was made.
    Raises BackupError and RecordsError.
    """
    lists = [_in_place(settings), _of_cut_short(settings), _kept_in(archive)]
    if newer:
        with opened(newer) as other:
            lists.append(_kept_in(other))
    return _together(lists)


def _in_place(settings: Settings) -> Known:
    if not settings.has_records:
        return Known()
    try:
        return Known(forgotten=forgotten_in(settings.records_url))
    except RecordsError:
        return Known(is_whole=False)


def _of_cut_short(settings: Settings) -> Known:
    with engine_at(settings.records_url) as engine:
        noted = unfinished.noted(engine)
    try:
        return Known.model_validate_json(noted) if noted else Known()
    except ValidationError:
        return Known(is_whole=False)


def _kept_in(archive: Archive) -> Known:
    return Known(forgotten=archive.manifest.forgotten)


def _together(lists: Sequence[Known]) -> Known:
    """Of two of the same the later counts when they are forgotten again."""
    return Known(
        forgotten=tuple({one: None for each in lists for one in each.forgotten}),
        is_whole=all(each.is_whole for each in lists),
    )
