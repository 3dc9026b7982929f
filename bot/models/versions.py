"""Versions of models: what may serve, what serves, and which questions a canary answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.errors import RegistryError
from bot.domain.values import Fingerprint, ModelLabel
from bot.models.gguf_file import file_sha256

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A GGUF file that may serve: a whole model, or with ``base`` a LoRA adapter for that model.

    ``size`` is in bytes; ``source`` says where the file came from (an address, or the manifest
    of a training run); ``evaluation`` maps the names of measures to their values.
    """

    name: str
    path: Path
    sha256: str
    size: int
    quantization: str = ""
    base: ModelVersion | None = None
    source: str = ""
    added_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    evaluation: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def weights(self) -> Path:
        """The file of the whole model."""
        return self.base.path if self.base else self.path

    @property
    def adapter(self) -> Path | None:
        """The file of the adapter, if this version has one."""
        return self.path if self.base else None

    @property
    def stamp(self) -> str:
        """The adapter's label; "" without one."""
        return str(ModelLabel.of(self.name, self.sha256)) if self.base else ""

    @property
    def fingerprint(self) -> Fingerprint:
        """What the identity of a model that serves this version says, too."""
        return Fingerprint((self.base or self).sha256, self.stamp)

    def has_answered(self, model: str, adapter: str) -> bool:
        """Whether these labels, as kept with an answer, are those of exactly these files."""
        label, now = ModelLabel.parse(model), self.fingerprint
        return label is not None and label.matches(now.weights) and adapter == now.adapter

    def check(self) -> None:
        """Read every file of this version, about a second per gigabyte.

        Raises RegistryError unless each is there and is the one that was registered.
        """
        if self.base:
            self.base.check()
        found = file_sha256(self.path)
        if found != self.sha256:
            raise RegistryError(
                f"{self.name} cannot serve: {self.path} has changed since it was registered "
                f"(SHA-256 {found[:12]}… instead of {self.sha256[:12]}…). Put the original file "
                "back, or register this one under another name with `lorebot model add`."
            )


@dataclass(frozen=True, slots=True)
class Canary:
    """A version that answers some questions: all in ``channels``, a ``share`` in 0..1 of the rest.

    The share is stable: a thread that has got the canary once gets it again, in any process.
    """

    version: ModelVersion
    share: float = 0.0
    channels: tuple[str, ...] = ()

    def takes(self, question: str, channel: str) -> bool:
        """Whether a question, named by its thread or by itself, is answered by the canary."""
        # the version's name in the hash: not always the same people try what is new
        digest = hashlib.sha256(f"{self.version.name}\n{channel}\n{question}".encode()).digest()
        return channel in self.channels or int.from_bytes(digest[:8]) < self.share * 2**64


@dataclass(frozen=True, slots=True)
class Serving:
    """What serves since change number ``change``: one version, and perhaps a canary beside it."""

    version: ModelVersion | None = None
    canary: Canary | None = None
    change: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history: what was done to ``version``, and what served afterwards.

    ``action`` is use, canary, end canary, rollback or remove; versions are named, "" is none.
    """

    number: int
    action: str
    version: str
    serving: str
    canary: str
    share: float
    channels: tuple[str, ...]
    by: str
    at: datetime


def checked_name(name: str) -> str:
    """Raises RegistryError where a version cannot be called that."""
    if not _NAME.fullmatch(name):
        raise RegistryError(
            f"{name!r} is no name for a model version: use letters, digits, dots, dashes and "
            "underscores (--name)."
        )
    return name
