import pytest

from bot.slack.admin.command import channel_id, person_id


@pytest.mark.parametrize(
    ("typed", "channel", "person"),
    [
        ("<#C0HELP|help>", "C0HELP", ""),
        ("<#G0LEADS>", "G0LEADS", ""),
        ("C0HELP1", "C0HELP1", ""),
        ("<@U0ALICE|alice>", "", "U0ALICE"),
        ("<@W0ALICE>", "", "W0ALICE"),
        ("U0ALICE", "", "U0ALICE"),
        ("#help", "", ""),
        ("@alice", "", ""),
        ("C1", "", ""),
        ("", "", ""),
    ],
)
def test_channels_and_people_are_taken_as_mentions_or_ids(
    typed: str, channel: str, person: str
) -> None:
    assert (channel_id(typed), person_id(typed)) == (channel, person)
