"""docs/reliability.md names tests that exist, and every test of the suite is named there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "reliability.md").read_text()


def functions_in(path: Path) -> set[str]:
    name = path.relative_to(ROOT).as_posix()
    nodes = ast.walk(ast.parse(path.read_text()))
    return {
        f"{name}::{node.name}"
        for node in nodes
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_row_names_tests_that_exist() -> None:
    rows = [row for row in TABLE.splitlines() if row.startswith("| ") and "promised" not in row]
    assert len(rows) > 15
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert f"{file}::{test}" in functions_in(ROOT / file)


def test_every_test_of_the_suite_is_in_the_table() -> None:
    for path in sorted((ROOT / "tests" / "reliability").glob("test_*.py")):
        for test in functions_in(path):
            assert test in TABLE, test
