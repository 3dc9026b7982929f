"""What the demo's team knows and asks: a page for each of its meeting rooms, made from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

NAMES = tuple(
    """Heron Falcon Osprey Plover Curlew Dunlin Avocet Kestrel Merlin Raven Magpie Starling Sparrow
    Wagtail Pipit Linnet Siskin Bunting Finch Thrush Robin Wren Swift Swallow Martin Lapwing Snipe
    Godwit Whimbrel Turnstone Sanderling Knot Tern Gull Skua Petrel Gannet Shag Cormorant Grebe
    Coot Moorhen Crake Rail Crane Stork Ibis Spoonbill Egret Teal Wigeon Pintail Shoveler Pochard
    Scoter Eider Smew Garganey Gadwall Mallard Pheasant Quail Partridge Grouse Ptarmigan Harrier
    Buzzard Goshawk Hobby Kite Eagle Owl Nightjar Kingfisher Hoopoe Roller Wryneck Lark Dipper
    Dunnock Redstart Whinchat Stonechat Wheatear Fieldfare Redwing Ouzel Blackcap Whitethroat
    Chiffchaff Goldcrest Firecrest Nuthatch Treecreeper Oriole Shrike Jay Nutcracker Chough Jackdaw
    Rook Brambling Goldfinch Greenfinch Twite Redpoll Crossbill Hawfinch Bluethroat Waxwing
    Sandpiper Redshank Greenshank Ruff Stint Phalarope Dotterel Stilt Bittern Albatross Fulmar
    Shearwater Puffin Razorbill Guillemot""".split()
)
NUMBERS = tuple(
    """four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety""".split()
)
_DIRECTIONS = ("north", "south", "east", "west")


@dataclass(frozen=True, slots=True)
class Room:
    """A meeting room and the page about it."""

    name: str
    seats: str
    costs: str
    faces: str

    @property
    def page(self) -> str:
        """Markdown; what is never asked stands first."""
        return (
            f"# {self.name}\n\nBook this one in the calendar. "
            f"The room {self.name} seats {self.seats} people. {self.answer} "
            f"The room {self.name} faces {self.faces}.\n"
        )

    @property
    def question(self) -> str:
        return f"What is the price of the room {self.name}?"

    @property
    def answer(self) -> str:
        """In the words of the page."""
        return f"The room {self.name} costs {self.costs} euros an hour."


def rooms(count: int, seed: int = 0) -> list[Room]:
    """Each with a name of its own; what is true of one says nothing about another."""
    chance = Random(seed)  # noqa: S311 - no secret
    return [
        Room(name, chance.choice(NUMBERS), chance.choice(NUMBERS), chance.choice(_DIRECTIONS))
        for name in chance.sample(NAMES, count)
    ]


def write_pages(folder: Path, known: Sequence[Room]) -> None:
    """One file per room, in ``folder/rooms``."""
    target = folder / "rooms"
    target.mkdir(parents=True)
    for room in known:
        (target / f"{room.name.lower()}.md").write_text(room.page, encoding="utf-8")
