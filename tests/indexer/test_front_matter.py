"""What a page says of itself is read exactly or refused."""

from datetime import UTC, datetime

import pytest

from indexer.documents import Audience
from indexer.errors import DocumentError
from indexer.front_matter import FrontMatter, split


def test_all_known_keys_are_read_and_the_rest_is_left() -> None:
    matter, text = split(
        "---\ntitle: Leave  policy\naudience: [public, 'group:hr']\nurl: https://x.org/leave\n"
        "updated: 2025-01-31T10:00:00Z\nlayout: wide\n---\n\n# Leave\n"
    )
    assert matter == FrontMatter(
        title="Leave policy",
        url="https://x.org/leave",
        audience=Audience.of("public", "group:hr"),
        updated=datetime(2025, 1, 31, 10, tzinfo=UTC),
    )
    assert text == "# Leave\n"


@pytest.mark.parametrize("text", ["# No front matter\n", "", "---\n\nA rule, then text.\n"])
def test_a_page_without_front_matter_is_all_text(text: str) -> None:
    assert split(text) == (FrontMatter(), text)


def test_empty_front_matter_says_nothing() -> None:
    assert split("---\n---\nText") == (FrontMatter(), "Text")


@pytest.mark.parametrize("value", ["2025-01-31", "'2025-01-31'"])
def test_a_bare_date_is_midnight(value: str) -> None:
    assert split(f"---\nupdated: {value}\n---\n")[0].updated == datetime(2025, 1, 31)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("title: [unclosed", r"not YAML \(line"),
        ("just words", "no list of `key: value` lines"),
        ("audience: everyone", "wrong audience: Unknown audience 'everyone'"),
        ("audience: []", "names nobody"),
        ("audience:", "wrong audience"),
        ("audience: [public, 7]", "Unknown audience 7"),
        ("audience: [[public]]", "wrong audience"),
        ("updated: last week", "write a date such as"),
        ("updated: 2025-13-45", "wrong value"),
        ("title: !!python/object:os.system x", "not YAML"),
    ],
)
def test_what_cannot_be_understood_is_refused(content: str, sentence: str) -> None:
    with pytest.raises(DocumentError, match=sentence):
        split(f"---\n{content}\n---\nText")
