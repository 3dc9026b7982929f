"""A Postgres for what several processes share: the one that is given, or one of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.postgres import postgres, postgres_programs


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[str]:
    """Its address. Always one of our own, because it is stopped and shared in these tests."""
    if postgres_programs() is None:
        pytest.skip("needs Postgres' programs on this machine")
    with postgres() as url:
        yield url
