"""Passages that several tests read."""

from indexer.documents import Audience, Chunk, Passage


def passage(text: str, *, document: str = "hb:a.md", title: str = "Page", position: int = 0,
            headers: tuple[str, ...] = (), similarity: float = 0.6) -> Passage:  # fmt: skip
    return Passage(
        chunk=Chunk(document, position, text, headers),
        title=title,
        audience=Audience.of("public"),
        score=0.9,
        similarity=similarity,
        lexical=0.5,
    )


MEALS = passage(
    "Meals are refunded up to 45 EUR per day. Keep every receipt above 25 EUR.",
    document="hb:expenses.md",
    title="Expenses",
)
LEAVE = passage(
    "Everybody has 28 days of leave. Carry over at most 5 days into the next year.",
    document="hb:leave.md",
    title="Leave",
)
