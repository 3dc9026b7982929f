from bot.answering.excerpts import excerpts, sentences
from indexer.chunking.markdown import Kind
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
        ("prose", "Every release can be undone, e.g. by anybody on call.", ""),
        ("prose", "It takes two minutes.", ""),
        ("prose", "To roll back:", ""),
        ("list", "1. Run `bun rollback`.\n   Wait for the light.", "To roll back:"),
        ("list", "2. Tell the channel.", "To roll back:"),
        ("table", "| Meals | 45 EUR |", "| Item | Limit |\n|---|---|"),
        ("table", "| Taxi | 30 EUR |", "| Item | Limit |\n|---|---|"),
        ("prose", "Then:", ""),
        ("code", "```sh\nbun status\n```", "Then:"),
    ]


def test_every_piece_is_verbatim() -> None:
    page = passage(PAGE)
    for piece in excerpts(page):
        assert piece.text in page.chunk.text or piece.kind is Kind.PROSE
        assert piece.block in page.chunk.text


def test_a_piece_is_judged_below_its_headings_and_its_table_header() -> None:
    row = next(
        p
        for p in excerpts(passage(PAGE, title="Expenses", headers=("Meals",)))
        if p.kind is Kind.TABLE
    )
    assert row.judged.startswith("Expenses › Meals › Rolling back\n| Item | Limit |")


def test_a_sentence_that_announces_a_block_knows_it() -> None:
    announced = {piece.text: piece.introduces for piece in excerpts(passage(PAGE))}
    assert announced["Then:"] == "```sh\nbun status\n```"
    assert announced["It takes two minutes."] == ""


def test_abbreviations_do_not_end_sentences() -> None:
    assert sentences("Use e.g. a taxi. Or walk.") == ["Use e.g. a taxi.", "Or walk."]


def test_sections_within_one_chunk_are_told_apart() -> None:
    page = passage("## Meals\n\n45 EUR.\n\n### Abroad\n\n60 EUR.\n\n## Hotels\n\n140 EUR.\n")
    headers = {piece.text: piece.passage.chunk.headers for piece in excerpts(page)}
    assert headers == {
        "45 EUR.": ("Meals",),
        "60 EUR.": ("Meals", "Abroad"),
        "140 EUR.": ("Hotels",),
    }
