"""SECURITY.md: each promise names a test, and the test is there."""

from __future__ import annotations

import ast
import re

from tests.deployment.compose_file import ROOT

ROW = re.compile(r"^\| (?P<claim>[^|]+) \| `(?P<test>[^`]+)` \|$", re.MULTILINE)
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def names(path: str) -> set[str]:
    """The tests of a file, those of a class as ``Class::test``."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.ClassDef():
                found |= {
                    f"{node.name}::{each.name}"
                    for each in node.body
                    if isinstance(each, ast.FunctionDef)
                }
    return found


def test_every_promise_names_a_test_that_is_there() -> None:
    rows = ROW.findall(TEXT)
    assert len(rows) >= 30
    for claim, test in rows:
        path, _, name = test.partition("::")
        assert name in names(path), f"{claim!r} names {test}, which does not exist"


def test_no_promise_goes_without_a_test() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    heads = [line for line in lines if line == "| promise | shown by |"]
    assert len(lines) - len(heads) == len(ROW.findall(TEXT))
