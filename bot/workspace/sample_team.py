"""A small team to try the bot with."""

from bot.workspace.state.models import Channel, Person
from bot.workspace.state.workspace_state import WorkspaceState


def sample_workspace() -> WorkspaceState:
    """Alice (admin), Bob, Carla (a guest) and Lorebot, in four channels and direct messages."""
    alice = Person("U0ALICE", "alice", "Alice", "Head of Operations", is_admin=True, is_owner=True)
    bob = Person("U0BOB", "bob", "Bob", "Engineer")
    carla = Person("U0CARLA", "carla", "Carla", "Guest, Design agency", is_restricted=True)
    bot = Person("U0LOREBOT", "lorebot", "Lorebot", bot_id="B0LOREBOT")
    staff = (alice.id, bob.id, bot.id)
    everyone = (alice.id, bob.id, carla.id, bot.id)
    return WorkspaceState(
        team_name="Brindlewick",
        bot=bot,
        people=(alice, bob, carla),
        channels=(
            Channel("C0GENERAL", "general", everyone, topic="Everything that concerns us all"),
            Channel("C0ENG", "engineering", staff, topic="Building and running the product"),
            Channel("C0HELP", "help", everyone, topic="Ask anything; mention @Lorebot"),
            Channel(
                "C0LEADS", "leadership", (alice.id, bot.id), topic="Confidential", is_private=True
            ),
            *(
                Channel(f"D{person.id[1:]}", person.name, (person.id, bot.id), is_im=True)
                for person in (alice, bob, carla)
            ),
        ),
    )


def sample_partner() -> WorkspaceState:
    """A second workspace, to install the app into as well: Dana (admin) and Eli."""
    dana = Person("U1DANA", "dana", "Dana", "Founder", is_admin=True, is_owner=True)
    eli = Person("U1ELI", "eli", "Eli", "Designer")
    bot = Person("U1LOREBOT", "lorebot", "Lorebot", bot_id="B1LOREBOT")
    everyone = (dana.id, eli.id, bot.id)
    return WorkspaceState(
        team_id="T1PARTNER",
        team_name="Partner Studio",
        bot=bot,
        people=(dana, eli),
        channels=(
            Channel("C1GENERAL", "general", everyone, topic="The whole studio"),
            Channel("C1HELP", "help", everyone, topic="Ask anything; mention @Lorebot"),
            *(
                Channel(f"D{person.id[1:]}", person.name, (person.id, bot.id), is_im=True)
                for person in (dana, eli)
            ),
        ),
    )
