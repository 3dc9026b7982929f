"""Read XLSX: one table per sheet, with the values that were last calculated."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

import openpyxl

from indexer.formats.archive import open_archive
from indexer.formats.extracted import Extracted, table


def read(content: bytes) -> Extracted:
    open_archive(content).close()
    workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    sheets = [(sheet.title, table(_rows(sheet))) for sheet in workbook.worksheets]
    return Extracted("", "\n\n".join(f"## {name}\n\n{rows}" for name, rows in sheets if rows))


def _rows(sheet: Any) -> Iterator[list[object]]:
    # What a file says of its size may be a million empty columns.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(values_only=True):
        yield [_plain(value) for value in row]


def _plain(value: object) -> object:
    """Dates without the time 00:00 that openpyxl adds, whole numbers without ``.0``."""
    if isinstance(value, datetime) and value.time() == time():
        return value.date()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
