from bot.answering.excerpts import excerpts, sentences
from tests.answering.samples import passage

PAGE = """## Rolling back

Every release can be undone, e.g. by anybody on call. It takes two minutes.

To roll back:

1. Run `bun rollback`.
   Wait for the light.
2. Tell the channel.

| Item | Limit |
|---|---|
| Meals | 45 EUR |
| Taxi | 30 EUR |

Then:

```sh
bun status
```
"""


def test_every_block_yields_its_own_kind_of_piece() -> None:
    found = [(piece.kind, piece.text, piece.lead_in) for piece in excerpts(passage(PAGE))]
    assert found == [
        ("paragraph", "Every release can be undone, e.g. by anybody on call.", ""),
        ("paragraph", "It takes two minutes.", ""),
        ("paragraph", "To roll back:", ""),
        ("list", "1. Run `bun rollback`.\n   Wait for the light.", "To roll back:"),
        ("list", "2. Tell the channel.", "To roll back:"),
        ("table", "| Meals | 45 EUR |", "| Item | Limit |\n|---|---|"),
        ("table", "| Taxi | 30 EUR |", "| Item | Limit |\n|---|---|"),
        ("paragraph", "Then:", ""),
        ("code", "```sh\nbun status\n```", "Then:"),
    ]


def test_every_piece_is_verbatim() -> None:
    page = passage(PAGE)
    for piece in excerpts(page):
        assert piece.text in page.chunk.text or piece.kind == "paragraph"
        assert piece.block in page.chunk.text


def test_a_piece_is_judged_below_its_headings_and_its_table_header() -> None:
    row = next(
        p
        for p in excerpts(passage(PAGE, title="Expenses", headers=("Meals",)))
        if p.kind == "table"
    )
    assert row.judged.startswith("Expenses › Meals\n| Item | Limit |")


def test_a_sentence_that_announces_a_block_knows_it() -> None:
    announced = {piece.text: piece.introduces for piece in excerpts(passage(PAGE))}
    assert announced["Then:"] == "```sh\nbun status\n```"
    assert announced["It takes two minutes."] == ""


def test_abbreviations_do_not_end_sentences() -> None:
    assert sentences("Use e.g. a taxi. Or walk.") == ["Use e.g. a taxi.", "Or walk."]
