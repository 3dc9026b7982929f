"""Blocks lie where a reader sees them."""

import pytest

from indexer.chunking.markdown import Kind, first_heading, parse, plain

PAGE = """# Title *with* `code`

Intro over
two lines.

| a | b |
|---|---|
| 1 | 2 |

1. one
   more of one
2. two

```sh
# no heading
```

[a link]: https://example.org
"""


def test_blocks_are_found_with_their_parts() -> None:
    page = parse(PAGE)
    assert [(block.kind, block.parts) for block in page.blocks] == [
        (Kind.HEADING, ("# Title *with* `code`",)),
        (Kind.PROSE, ("Intro over\ntwo lines.",)),
        (Kind.TABLE, ("| a | b |\n|---|---|", "| 1 | 2 |")),
        (Kind.LIST, ("1. one\n   more of one", "2. two")),
        (Kind.CODE, ("```sh", "# no heading", "```")),
        (Kind.PROSE, ("[a link]: https://example.org",)),
    ]
    assert page.blocks[0].title == "Title with code"


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("text\n\n## Second level first", "Second level first"),
        ("Underlined\n==========\n", "Underlined"),
        ("```\n# in code\n```\n\n# Real", "Real"),
        ("no heading at all", ""),
        ("#", ""),
        (f"{'a paragraph underlined by mistake ' * 10}\n---\n\n# Real", "Real"),
    ],
)
def test_the_first_heading_is_the_title(text: str, heading: str) -> None:
    assert first_heading(text) == heading


def test_plain_text_is_what_a_reader_sees() -> None:
    assert plain("**Paid** [leave](http://x.org/a_b) &amp; ![sun](s.png) `code`") == (
        "Paid leave & sun code"
    )
