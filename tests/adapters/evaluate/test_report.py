"""The report is one file that loads nothing and trusts no text that it shows."""

from __future__ import annotations

import re
from pathlib import Path

from adapters.evaluate.comparison import Difference, Outcome, Verdict
from adapters.evaluate.report import Report, decided, forest, side_by_side, write_report
from adapters.evaluate.results import Result
from tests.services.chromium import browser_tests, running_chromium

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{ 7*7 }}"
GAIN = Difference("f1", 0.8, 0.5, 0.3, 0.2, 0.4, True, 40, 0.001)


def result(system: str, question: str, f1: float, text: str = "45 EUR") -> Result:
    scores = {"f1": f1, "em": float(f1 == 1), "seconds": 1.5}
    return Result(system, question, f"{question}?", "45 EUR a day", text, False, (), scores)


def report(text: str = "45 EUR", **changed: object) -> Report:
    results = [
        result("candidate", "q1", 1.0, text),
        result("serving", "q1", 0.2, text),
        result("candidate", "q2", 0.5),
        result("serving", "q2", 0.9),
        result("candidate", "q3", 0.7),
        result("serving", "q3", 0.7),
    ]
    given: dict[str, object] = {
        "title": "Is it better?",
        "one": "candidate",
        "other": "serving",
        "labels": {"candidate": "Candidate", "serving": "Serving"},
        "verdict": Verdict(Outcome.BETTER, "The candidate is better."),
        "differences": [GAIN],
        "results": results,
        "facts": {"Questions": "3 held out."},
        "examples_shown": 10,
    }
    return Report(**(given | changed))  # type: ignore[arg-type]


def written(folder: Path, shown: Report) -> str:
    return write_report(folder / "report.html", shown).read_text(encoding="utf-8")


def test_hostile_text_is_shown_and_never_run(tmp_path: Path) -> None:
    page = written(
        tmp_path,
        report(
            HOSTILE,
            title=HOSTILE,
            facts={HOSTILE: HOSTILE},
            labels={"candidate": HOSTILE, "serving": HOSTILE},
            verdict=Verdict(Outcome.BETTER, HOSTILE),
        ),
    )
    assert "<script" not in page
    assert "onerror" in page
    assert not re.search(r"<[^>]*onerror", page)
    assert "{{ 7*7 }}" in page
    assert "&lt;script&gt;" in page


def test_nothing_is_loaded_from_anywhere(tmp_path: Path) -> None:
    page = written(tmp_path, report())
    assert "default-src 'none'" in page
    sources = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.search(r"url\(|@import|<link|<iframe", page)


def test_verdict_numbers_and_held_out_questions_are_told(tmp_path: Path) -> None:
    page = written(tmp_path, report())
    for told in ("The candidate is better.", "80%", "50%", "+30", "+20 … +40", "3 held out."):
        assert told in page


def test_won_and_lost_answers_are_counted_and_shown(tmp_path: Path) -> None:
    page = written(tmp_path, report())
    assert "in 3 questions: 1 answers are better, 1 worse" in page
    assert "and 1 as good" in page
    assert page.index("q1?") < page.index("q2?")
    assert "q3?" not in page


def test_largest_gain_comes_first() -> None:
    gains = [pair.gain for pair in decided(report())]
    assert gains == sorted(gains, reverse=True)


def test_no_more_examples_are_shown_than_wanted(tmp_path: Path) -> None:
    page = written(tmp_path, report(examples_shown=0))
    assert "q1?" not in page
    assert "1 answers are better" in page


def test_the_same_numbers_make_the_same_picture() -> None:
    assert forest([GAIN], "a", "b") == forest([GAIN], "a", "b")


def test_without_numbers_there_is_no_picture() -> None:
    assert forest([], "a", "b") == ""
    assert side_by_side({}, {}) == ""


class TestInTheBrowser:
    pytestmark = browser_tests

    def test_page_runs_nothing_loads_nothing_and_complains_of_nothing(self, tmp_path: Path) -> None:
        written(tmp_path, report(HOSTILE))
        complaints: list[str] = []
        with running_chromium() as browser:
            page = browser.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: complaints.append(dialog.message))
            requests: list[str] = []
            page.on("request", lambda request: requests.append(request.url))
            page.goto((tmp_path / "report.html").as_uri())
            loaded = page.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
        assert loaded
        assert complaints == []
        assert all(url.startswith(("file:", "data:")) for url in requests)
