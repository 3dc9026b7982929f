"""How often the sample handbook's questions are answered rightly, and the others refused.

Run with ``make bench NAME=handbook_answers``. Questions and pages were written by one author; the
evidence judge was not fitted on them. The last line is one JSON object; all figures are shares.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from bot.bootstrap.demo import demo_settings
from bot.bootstrap.wiring import open_pipeline, open_synced_index
from bot.domain.settings import Settings
from bot.domain.values import Answer, Question
from indexer.documents import Audience

QUESTIONS = Path(__file__).parents[1] / "data" / "handbook_questions.json"
LEADER = Audience.of("public", "slack_channel:C0LEADS")
ANYBODY = Audience.of("public")


def main() -> None:
    asked = json.loads(QUESTIONS.read_text())
    right, cited, wrong, refused, invented, leaked = [], [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        settings = demo_settings(Settings(data_dir=Path(folder)))
        with (
            open_synced_index(settings) as (index, _),
            open_pipeline(settings, index) as pipeline,
        ):
            for number, case in enumerate(asked):
                question = Question(str(number), case["question"], LEADER)
                answer = pipeline.answer(question)
                verdict = _verdict(case, answer)
                print(f"{verdict:9} {case['kind']:13} {case['question']}")
                if case["page"] is None:
                    invented.append(bool(answer.citations))
                    continue
                right.append(verdict == "right")
                refused.append(verdict == "refused")
                wrong.append(verdict == "wrong")
                cited.append(case["page"] in _pages(answer))
                if case["kind"] == "private":
                    public = pipeline.answer(Question(f"p{number}", case["question"], ANYBODY))
                    leaked.append(any("leadership/" in page for page in _pages(public)))
    shares = {
        "right": right,
        "cited_page": cited,
        "wrong": wrong,
        "refused_though_answerable": refused,
        "answered_though_unanswerable": invented,
        "leaked": leaked,
    }
    print(json.dumps({name: round(sum(all_) / len(all_), 3) for name, all_ in shares.items()}))


def _verdict(case: dict[str, object], answer: Answer) -> str:
    if not answer.citations:
        return "refused"
    words = case["answer_contains"]
    assert isinstance(words, list)
    return "right" if words and all(word in answer.text for word in words) else "wrong"


def _pages(answer: Answer) -> set[str]:
    return {citation.passage.chunk.document_id.partition(":")[2] for citation in answer.citations}


if __name__ == "__main__":
    main()
