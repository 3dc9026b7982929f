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


@pytest.mark.parametrize(
    "text",
    [
        "---\nAudience: group:hr\n---\nText",
        "---\naudiences: [group:hr]\n---\nText",
        "---\nAUDIENCE: group:hr\n---\nText",
        "\n\n---\naudience: group:hr\n---\nText",
        "\ufeff---\naudience: group:hr\n---\nText",
        "<!-- moved from the wiki -->\n---\naudience: group:hr\n---\nText",
        "  ---\naudience: group:hr\n---\nText",
        "---  \naudience: group:hr\n---  \nText",
        "---\naudience: group:hr\n...\nText",
        '+++\naudience = "group:hr"\ntitle = "Bands"\n+++\nText',
        '+++\nAudience = ["group:hr"]\n+++\nText',
    ],
)
def test_readers_are_read_in_the_forms_that_people_write(text: str) -> None:
    matter, body = split(text)
    assert matter.audience == Audience.of("group:hr")
    assert body == "Text"


@pytest.mark.parametrize(
    "text",
    [
        "---\n\u0430udience: group:hr\n---\nText",  # a Cyrillic letter
        "---\naudi\u0435nce: group:hr\n---\nText",
        "---\naudiance: group:hr\n---\nText",
        "---\naudeince: group:hr\n---\nText",
        "---\ntarget_audience: group:hr\n---\nText",
        "---\naudience: {group: hr}\n---\nText",
        "---\naudience: {public: false}\n---\nText",
        "---\naudience: group:hr\naudience: public\n---\nText",
        "---\naudience: public\nAudience: group:hr\n---\nText",
        "---\naudience: public\naudiance: group:hr\n---\nText",
        "---\nmeta:\n  audience: group:hr\n---\nText",
        "---\nlorebot: [{audience: group:hr}]\n---\nText",
        "---\nvisibility: internal\n---\nText",
        "---\nprivate: true\n---\nText",
        "---\nreaders: [anna, ben]\n---\nText",
        "---\naudience: group:hr\n\nText that goes on",  # never closed
        "----\naudience: group:hr\n----\nText",
        "+++\naudience = group:hr\n+++\nText",
        '+++\naudiance = "group:hr"\n+++\nText',
        '+++\n[access]\naudience = "group:hr"\n+++\nText',
        ";;;\naudience: group:hr\n;;;\nText",
        '{\n  "audience": "group:hr"\n}\n\nText',
        "Audience: group:hr\nTitle: Bands\n\nText",
        ":audience: group:hr\n\nText",
        "#+AUDIENCE: group:hr\n\nText",
        "> audience: group:hr\n\nText",
        "Moved here from the wiki.\n---\naudience: group:hr\n---\nText",
        "---\ntitle: A\n---\n---\naudience: group:hr\n---\nText",
        "---\ntitle: A\n---\n\naudience: group:hr\n\nText",
        "<!-- audience: group:hr -->\n---\ntitle: A\n---\nText",
        "# Bands\n\naudience: group:hr\n\nText",
        "# Bands\n\n---\naudience: group:hr\n---\nText",
        "Audience:\n- group:hr\n\nText",
        "title: A\naudience:\n  - group:hr\n---\nText",
        "--- # meta\naudience:\n  - group:hr\n---\nText",
        "**Audience**: group:hr\n\nText",
        "| audience | group:hr |\n\nText",
        "---\nviewer: group:hr\n---\nText",
        "---\nshared_with: [group:hr]\n---\nText",
    ],
)
def test_readers_in_any_other_form_are_refused_aloud(text: str) -> None:
    with pytest.raises(DocumentError):
        split(text)


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nThe archive is closed until 14 June.\n\n---\n\nText",
        "# Audience: who this is for\n\nThose who travel.\n",
        "Write this at the top of a page:\n\n```yaml\naudience: group:hr\n```\n",
        "The audience: people of the warehouse.\n",
        "Our access: by badge.\n\nText",
        "Door\n----\n\nAccess: badge at the door.\n",
        "Welcome.\n\n---\n\nInternal: 4711\n",
        "Visibility: public\n\nText",
        "Target audience: the general public\n",
        "* Internal: speed up the public API\n",
        "---\n\n---\n",
    ],
)
def test_text_is_text(text: str) -> None:
    assert split(text) == (FrontMatter(), text)


@pytest.mark.parametrize("line", ["visibility: public", "private: false", "draft: true"])
def test_words_of_other_tools_that_hide_nothing_are_left(line: str) -> None:
    assert split(f"---\n{line}\n---\nText") == (FrontMatter(), "Text")
