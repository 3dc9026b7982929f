from datetime import UTC, datetime, timedelta

from bot.records.statistics import Week
from bot.slack.admin.overview import ago, chart

START = datetime(2026, 6, 1, tzinfo=UTC)


def test_votes_are_drawn_to_scale_one_bar_a_week() -> None:
    weeks = [
        Week(START + timedelta(weeks=n), up, down)
        for n, (up, down) in enumerate([(6, 6), (3, 0), (0, 0)])
    ]
    rows = chart(weeks).splitlines()[1:-1]
    assert [row.count("█") for row in rows] == [6, 3, 0]
    assert [row.count("░") for row in rows] == [6, 0, 0]
    assert len({len(row) for row in rows}) == 1
    assert rows[0].startswith("01 Jun")


def test_without_votes_there_is_a_sentence() -> None:
    assert chart([Week(START, 0, 0)]) == "No votes in the last eight weeks."
    assert chart([]) == "No votes in the last eight weeks."


def test_how_long_ago_is_said_in_words() -> None:
    now = datetime.now(UTC)
    said = [ago(now - timedelta(seconds=s)) for s in (5, 30 * 60 + 1, 5 * 3600 + 1, 9 * 86_400 + 1)]
    assert said == ["just now", "30 minutes ago", "5 hours ago", "9 days ago"]
