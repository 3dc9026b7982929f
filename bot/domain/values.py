"""Domain values: Asked → Question → Answer → Vote, Correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from indexer.documents import Audience, Passage

_LABEL_DIGITS = 12


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """Which model or adapter file it was, in few characters: ``name@``, 12 digits of its SHA-256.

    This is how records, metrics and manifests name a file. ``digits`` is "" where the weights are
    unknown, as those of a remote server are: such a label matches no file.
    """

    name: str
    digits: str

    @classmethod
    def of(cls, name: str, sha256: str) -> ModelLabel:
        return cls(name, sha256[:_LABEL_DIGITS])

    @classmethod
    def parse(cls, text: str) -> ModelLabel | None:
        """The inverse of ``str``; None for another text, such as "" where no model answered."""
        name, mark, digits = text.rpartition("@")
        return cls(name, digits) if mark and len(digits) in (0, _LABEL_DIGITS) else None

    def __str__(self) -> str:
        return f"{self.name}@{self.digits}"

    def matches(self, sha256: str) -> bool:
        """Whether it is the label of that file, whatever the file is called today."""
        return bool(self.digits) and self.digits == sha256[:_LABEL_DIGITS]


class Fingerprint(NamedTuple):
    """Exactly which files answer: the SHA-256 of the weights, and the label of the adapter."""

    weights: str
    adapter: str = ""

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        weights, _, adapter = text.partition(" ")
        return cls(weights, adapter)

    def __str__(self) -> str:
        """As the manifest of an evaluation names a model; "" for one that is not known."""
        return " ".join(filter(None, self))


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights answered; stamped on every answer so that votes can be traced to a model.

    ``adapter`` is the label of the LoRA adapter, or its name alone on a remote server.
    """

    name: str
    sha256: str
    adapter: str = ""

    @property
    def label(self) -> ModelLabel:
        """The label of the weights."""
        return ModelLabel.of(self.name, self.sha256)

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(self.sha256, self.adapter)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation, rendered by the model's own chat template."""

    role: Literal["system", "user", "assistant"]
    content: str


class Occasion(StrEnum):
    """How a question came to the bot."""

    MENTION = "mention"
    DIRECT = "direct"
    FOLLOW_UP = "follow_up"
    OVERHEARD = "overheard"
    COMMAND = "command"
    SHORTCUT = "shortcut"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file that came with a question. ``url`` is where the bot gets it, ``link`` where people
    open it; ``size`` is in bytes. ``refusal`` says why it was not read, empty where it was.
    """

    id: str
    name: str
    url: str
    link: str
    size: int
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that asks something, as it arrived, before its audience was looked up.

    ``id`` is made of channel and timestamp where it is a message: Slack sends a mention as two
    events, and each event again until it is acknowledged, but the message is one. ``thread`` is
    the timestamp of the thread's root, under which the answer goes; empty for a slash command,
    which is answered at its ``response_url``. ``is_direct`` says that only the asker reads the
    answer, ``is_shared`` whether another organisation reads the channel; None where the event
    did not tell. ``team`` is the id of the workspace.
    """

    id: str
    event_id: str
    channel: str
    thread: str
    asker: str
    text: str
    is_direct: bool = False
    is_shared: bool | None = False
    team: str = ""
    occasion: Occasion = Occasion.MENTION
    response_url: str = ""
    files: tuple[AttachedFile, ...] = ()

    @property
    def ts(self) -> str:
        """The timestamp of the message that asks; empty where no message does."""
        return timestamp_of(self.id)


def timestamp_of(question_id: str) -> str:
    """The timestamp of the message that asks; empty where no message does."""
    last = question_id.rpartition(":")[2]
    return last if last.replace(".", "", 1).isdigit() else ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is answered, and for whom: the same id is the same question.

    ``audience`` is what the READERS of the answer hold, which in a channel is less than what the
    asker may see. ``history`` are the earlier turns of the thread, oldest first. ``language`` is
    the ISO 639-1 code of the language to answer in, empty for that of the question. ``persona``
    says in which role or tone; it changes no rule. ``sources`` are the names of those that may be
    searched, all where empty.
    """

    id: str
    text: str
    audience: Audience
    asker: str = ""
    channel: str = ""
    thread: str = ""
    history: tuple[Message, ...] = ()
    language: str = ""
    persona: str = ""
    sources: tuple[str, ...] = ()


class Route(StrEnum):
    """What a question needs, before anything is retrieved."""

    RETRIEVE = "retrieve"
    SMALL_TALK = "small_talk"


class Stage(StrEnum):
    """What is being done for a question, in this order."""

    SEARCH = "search"
    READ = "read"
    WRITE = "write"


class Ending(StrEnum):
    """How an answer came about; what the reader is told depends on it."""

    GENERATED = "generated"
    QUOTED = "quoted"
    NOT_FOUND = "not_found"
    STOPPED = "stopped"
    SMALL_TALK = "small_talk"


@dataclass(frozen=True, slots=True)
class Reflection:
    """One judgement, a probability in 0..1.

    ``kind`` is evidence (without a model), retrieve, relevant, conflicting, supported or useful;
    ``subject`` says what was judged: a chunk's id, two of them, a sentence, or nothing where the
    whole question or answer is meant.
    """

    kind: str
    subject: str
    probability: float


@dataclass(frozen=True, slots=True)
class Citation:
    """``[number]`` in the answer's text stands for this passage."""

    number: int
    passage: Passage


@dataclass(frozen=True, slots=True)
class Versions:
    """Everything that shaped an answer, so that it can be explained and learned from later."""

    prompt: str
    model: str
    embedder: str
    adapter: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is posted and recorded. ``text`` is Markdown with ``[n]`` marks.

    ``passages`` are all that were judged, best first; ``nearest`` those offered when nothing
    supports an answer; ``searched`` is the question as it was searched for, where a thread gave
    it its meaning; ``seconds`` maps each stage to its duration.
    """

    question: Question
    text: str
    ending: Ending
    versions: Versions
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    nearest: tuple[Passage, ...] = ()
    reflections: tuple[Reflection, ...] = ()
    searched: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


class Thumb(StrEnum):
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's opinion of one answer; a later vote of the same person replaces it."""

    answer_id: str
    voter: str
    thumb: Thumb
    cast_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Reason(StrEnum):
    """What is the matter with an answer, as people say it."""

    WRONG = "wrong"
    NOT_FOUND = "not_found"
    OUTDATED = "outdated"
    INCOMPLETE = "incomplete"
    NOT_FOR_ME = "not_for_me"


class CorrectionKind(StrEnum):
    """How a correction came about: given with a 👎, or as the reply of a person who was asked."""

    CORRECTION = "correction"
    ESCALATION = "escalation"


@dataclass(frozen=True, slots=True)
class Correction:
    """What one person says an answer should have been; a later one of theirs replaces it.

    ``text`` is empty where only a ``reason`` was given. Without ``may_learn`` it is kept for
    people to read, and no model ever learns from it.
    """

    answer_id: str
    author: str
    text: str = ""
    reason: Reason | None = None
    may_learn: bool = False
    kind: CorrectionKind = CorrectionKind.CORRECTION
    given_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def distinct_documents(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The first passage of each document, in order."""
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(passage.chunk.document_id, passage)
    return tuple(first.values())
