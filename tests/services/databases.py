"""A look, or a change, in the databases of records and jobs behind the product's back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import create_engine, make_url, text


def execute(url: str, statement: str) -> Sequence[Any]:
    """The rows that it returns; of a change, one for each row changed.

    ``{jobs}`` in it stands for the schema of the jobs' tables, which only Postgres has.
    """
    engine = create_engine(url)
    is_file = make_url(url).get_backend_name() == "sqlite"
    try:
        with engine.begin() as connection:
            result = connection.execute(
                text(statement.replace("{jobs}", "" if is_file else "dbos."))
            )
            return result.all() if result.returns_rows else [None] * result.rowcount
    finally:
        engine.dispose()
