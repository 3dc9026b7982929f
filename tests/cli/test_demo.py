"""What the demo prepares beside its first question."""

from contextlib import closing
from pathlib import Path

from bot.bootstrap.demo import name_owners
from bot.domain.settings import Settings
from bot.records.channels import Channels, ChannelSettings
from bot.records.database import Database
from bot.workspace.sample_team import sample_workspace


def test_ask_a_person_finds_somebody_in_every_channel_of_the_demo(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with closing(Database(settings.records_url)) as database:
        channels = Channels(database)
        channels.save(ChannelSettings("C0ENG", owners=("U0ALICE",)))
        name_owners(settings)
        assert channels.of("C0ENG").owners == ("U0ALICE",)  # named before: it stays
        for channel in sample_workspace().channels_of("U0ALICE"):
            if not channel.is_im:
                owners = channels.of(channel.id).owners
                assert owners
                assert set(owners) <= set(channel.members)
