"""Results are kept as they come; what a kill cut off is measured again."""

from __future__ import annotations

from pathlib import Path

from adapters.evaluate.results import Ledger, Result, read_results, write_results


def result(question_id: str, system: str = "candidate") -> Result:
    return Result(system, question_id, "Café?", "Oui", "Oui\u2028", False, ("a#0",), {"em": 1.0})


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = write_results(tmp_path / "results.jsonl", [result("1"), result("2")])
    assert read_results(path) == [result("1"), result("2")]


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    ledger = Ledger(path)
    for name in ("1", "2"):
        ledger.add(result(name))
    path.write_bytes(path.read_bytes()[:-40])
    again = Ledger(path)
    assert ("candidate", "1") in again
    assert ("candidate", "2") not in again
    again.add(result("2"))
    assert read_results(path) == [result("1"), result("2")]


def test_an_answer_belongs_to_its_system(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "results.jsonl")
    ledger.add(result("1", "serving"))
    assert ("candidate", "1") not in ledger


def test_results_of_earlier_versions_are_read(tmp_path: Path) -> None:
    path = write_results(tmp_path / "results.jsonl", [result("1")])
    path.write_text(path.read_text().replace('"system":', '"contestant":'))
    assert read_results(path) == [result("1")]
    assert ("candidate", "1") in Ledger(path)
