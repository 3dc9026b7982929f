"""People, user groups, channels and their members."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from bot.workspace.errors import Refused
from bot.workspace.state.changes import Changes, ChannelChanged, Joined, Left, PersonChanged
from bot.workspace.state.models import Channel, Person, UserGroup


class Directory:
    """Looks people and channels up and moves people between channels."""

    def __init__(
        self,
        *,
        bot: Person,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Iterable[UserGroup] = (),
    ) -> None:
        self._bot_id = bot.id
        self.changes = Changes()
        self.groups = tuple(groups)
        self._people = {person.id: person for person in (*people, bot)}
        self._channels = {channel.id: channel for channel in channels}

    # People

    @property
    def bot(self) -> Person:
        return self._people[self._bot_id]

    @property
    def people(self) -> tuple[Person, ...]:
        return tuple(self._people.values())

    def person(self, user_id: str) -> Person:
        try:
            return self._people[user_id]
        except KeyError:
            raise Refused("user_not_found") from None

    def add_person(self, person: Person) -> Person:
        """Adds a person, or replaces the one of the same id."""
        self._people[person.id] = person
        self.changes.publish(PersonChanged(person))
        return person

    def change_person(self, user_id: str, **changes: Any) -> Person:
        """Makes a person an admin, a guest and so on; `changes` are fields of Person."""
        return self.add_person(replace(self.person(user_id), **changes))

    # Channels

    @property
    def channels(self) -> tuple[Channel, ...]:
        return tuple(self._channels.values())

    def channel(self, channel_id: str) -> Channel:
        try:
            return self._channels[channel_id]
        except KeyError:
            raise Refused("channel_not_found") from None

    def readable_channel(self, channel_id: str, user_id: str) -> Channel:
        """A channel this person may look into: a member's, or any public one."""
        channel = self.channel(channel_id)
        if channel.kind != "channel" and user_id not in channel.members:
            raise Refused("channel_not_found")
        return channel

    def joined_channel(self, channel_id: str, user_id: str) -> Channel:
        """A channel this person is a member of."""
        channel = self.readable_channel(channel_id, user_id)
        if user_id not in channel.members:
            raise Refused("not_in_channel")
        return channel

    def channels_of(self, user_id: str) -> tuple[Channel, ...]:
        return tuple(channel for channel in self.channels if user_id in channel.members)

    def direct_channel(self, user_id: str, other_id: str = "") -> Channel:
        """The direct conversation of a person and the bot, or another person.

        It is opened where there is none yet.
        """
        members = (self.person(user_id).id, self.person(other_id or self.bot.id).id)
        for channel in self.channels:
            if channel.is_im and set(channel.members) == set(members):
                return channel
        name = f"D{user_id[1:]}{other_id[1:]}"
        return self.add_channel(Channel(name, self.person(members[1]).name, members, is_im=True))

    def add_channel(self, channel: Channel) -> Channel:
        """Adds a channel, or replaces the one of the same id."""
        self._channels[channel.id] = channel
        self.changes.publish(ChannelChanged(channel))
        return channel

    def change_channel(self, channel_id: str, **changes: Any) -> Channel:
        """Renames a channel, shares it and so on; `changes` are fields of Channel."""
        return self.add_channel(replace(self.channel(channel_id), **changes))

    # Membership

    def join(self, channel_id: str, user_id: str) -> Channel:
        """Adds a person to a channel; does nothing for a member."""
        channel = self.channel(channel_id)
        if self.person(user_id).id in channel.members:
            return channel
        channel = replace(channel, members=(*channel.members, user_id))
        self._channels[channel_id] = channel
        self.changes.publish(Joined(channel, user_id))
        return channel

    def leave(self, channel_id: str, user_id: str) -> Channel:
        """Takes a person out of a channel."""
        channel = self.joined_channel(channel_id, user_id)
        if channel.is_im:
            raise Refused("method_not_supported_for_channel_type")
        if channel.name == "general":
            raise Refused("cant_leave_general")
        remaining = tuple(member for member in channel.members if member != user_id)
        channel = replace(channel, members=remaining)
        self._channels[channel_id] = channel
        self.changes.publish(Left(channel, user_id))
        return channel
