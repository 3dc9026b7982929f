"""Serves what the registry says: loads in the background, swaps models between two answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from bot.domain.errors import LorebotError, RegistryError
from bot.domain.values import Fingerprint
from bot.models.versions import Canary, ModelVersion, Serving
from bot.serving.lending import InUse
from bot.serving.model import LanguageModel

RETRY_SECONDS = 300.0
logger = logging.getLogger(__name__)

Load = Callable[[ModelVersion], AbstractContextManager[LanguageModel]]
"""Loads a version on entering and frees it on leaving, perhaps in another thread.

The model's identity names both parts of the version's fingerprint. Raises ModelError.
"""


class ServedVersions(Protocol):
    """What is followed: a registry."""

    def serving(self) -> Serving: ...


@dataclass(frozen=True, slots=True)
class ServingStatus:
    """Which versions answer, by name ("" is none), and why they are not the wanted ones."""

    serving: str = ""
    canary: str = ""
    wanted: str = ""
    wanted_canary: str = ""
    problems: tuple[str, ...] = ()


class ServingModels:
    """Follows the registry: what serves there is loaded here, beside what serves until then.

    A thread of its own asks the registry and loads, so that no answer waits for either. While a
    version loads, and when it cannot be loaded, the one before it goes on serving; a canary that
    cannot be loaded leaves its questions to the serving version. So the memory must hold two
    models for the time of a change.
    """

    def __init__(
        self,
        registry: ServedVersions,
        load: Load,
        *,
        poll_seconds: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Loads what serves now before it returns; a failure is logged, and then lends None."""
        self._registry = registry
        self._load = load
        self._clock = clock
        self._lock = threading.Lock()  # guards all below; never held while loading or closing
        self._loaded: dict[Fingerprint, _Loaded] = {}
        self._failures: dict[Fingerprint, _Failure] = {}
        self._main: _Loaded | None = None
        self._canary: tuple[Canary, _Loaded] | None = None
        self._wanted = Serving()
        self._unreadable = ""
        self._following = threading.Lock()
        self._closed = threading.Event()
        self.refresh()
        self._follower = threading.Thread(
            target=self._follow, args=(poll_seconds,), name="model registry", daemon=True
        )
        self._follower.start()

    @contextmanager
    def lease(
        self, *, question_id: str = "", channel: str = "", thread: str = ""
    ) -> Iterator[LanguageModel | None]:
        with self._lock:
            loaded = self._main
            if self._canary and self._canary[0].takes(thread or question_id, channel):
                loaded = self._canary[1]
            if loaded:
                loaded.leases += 1
        try:
            yield loaded.model if loaded else None
        finally:
            if loaded:
                self._end_lease(loaded)

    def in_use(self) -> tuple[InUse, ...]:
        with self._lock:
            main = (InUse("serving", self._main.model),) if self._main else ()
            if self._canary is None:
                return main
            canary, loaded = self._canary
            return (*main, InUse("canary", loaded.model, canary.share))

    @property
    def status(self) -> ServingStatus:
        with self._lock:
            wanted, canary = self._wanted.version, self._wanted.canary
            failures = (self._failures.get(one.fingerprint) for one in self._wanted_versions())
            reasons = (self._unreadable, *(failure.reason for failure in failures if failure))
            return ServingStatus(
                serving=self._main.version.name if self._main else "",
                canary=self._canary[1].version.name if self._canary else "",
                wanted=wanted.name if wanted else "",
                wanted_canary=canary.version.name if canary else "",
                problems=tuple(filter(None, reasons)),
            )

    def problems(self) -> tuple[str, ...]:
        return self.status.problems

    def refresh(self) -> None:
        """Ask the registry and load what is new; returns when that is done. Never raises."""
        with self._following:
            try:
                wanted = self._registry.serving()
                self._report_unreadable("")
                self._serve(wanted)
            except LorebotError as error:
                self._report_unreadable(str(error))
            except Exception:
                logger.exception("Following the model registry failed unexpectedly.")
                self._report_unreadable("Following it failed; the log says how.")

    def close(self) -> None:
        """Waits for a model that is just being loaded."""
        self._closed.set()
        self._follower.join()
        with self._following:
            with self._lock:
                self._main = self._canary = None
            self._retire(keep=[])

    def _follow(self, poll_seconds: float) -> None:
        while not self._closed.wait(poll_seconds):
            self.refresh()

    def _serve(self, wanted: Serving) -> None:
        """Loads one model at a time, and frees those that are not wanted before the next."""
        canary = wanted.canary
        with self._lock:
            self._wanted = wanted
            if self._canary and (canary is None or not _same(canary, self._canary[0])):
                self._canary = None
        self._retire(keep=self._wanted_versions())

        main = self._open(wanted.version) if wanted.version else None
        if main or not wanted.version:
            with self._lock:
                changed, self._main = self._main is not main, main
            if changed:
                logger.info("Serving %s.", main.version.name if main else "no model")
            self._retire(keep=self._wanted_versions())

        beside = self._open(canary.version) if canary else None
        with self._lock:
            self._canary = (canary, beside) if canary and beside else None

    def _open(self, version: ModelVersion) -> _Loaded | None:
        """The version's model, loaded now if need be, or None after a failure."""
        key = version.fingerprint
        with self._lock:
            if loaded := self._loaded.get(key):
                loaded.version = version
                return loaded
            failure = self._failures.get(key)
        if self._closed.is_set():
            return None
        if failure and failure.change == self._wanted.change and self._clock() < failure.until:
            return None
        try:
            loaded = _entered(version, self._load)
        except LorebotError as error:
            self._report_failure(version, str(error))
            return None
        except Exception:
            logger.exception("Loading %s failed unexpectedly.", version.name)
            self._report_failure(version, "Loading it failed; the log says how.")
            return None
        with self._lock:
            self._failures.pop(key, None)
            self._loaded[key] = loaded
        return loaded

    def _wanted_versions(self) -> list[ModelVersion]:
        canary = self._wanted.canary
        both = (self._wanted.version, canary.version if canary else None)
        return [version for version in both if version]

    def _retire(self, keep: list[ModelVersion]) -> None:
        """Forget all models but the one that serves and those to keep; close the idle ones."""
        kept = {version.fingerprint for version in keep}
        with self._lock:
            gone = {
                key: loaded
                for key, loaded in self._loaded.items()
                if key not in kept and loaded is not self._main
            }
            for key, loaded in gone.items():
                del self._loaded[key]
                loaded.retired = True
            idle = [loaded for loaded in gone.values() if not loaded.leases]
        for loaded in idle:
            loaded.free()

    def _end_lease(self, loaded: _Loaded) -> None:
        with self._lock:
            loaded.leases -= 1
            last = loaded.retired and not loaded.leases
        if last:
            loaded.free()

    def _report_failure(self, version: ModelVersion, reason: str) -> None:
        logger.error(
            "%s cannot be loaded, so what served before goes on. %s It is tried again in %d "
            "minutes, or at once after `lorebot model use`.",
            version.name,
            reason,
            RETRY_SECONDS / 60,
        )
        until = self._clock() + RETRY_SECONDS
        with self._lock:
            self._failures[version.fingerprint] = _Failure(
                f"{version.name}: {reason}", self._wanted.change, until
            )

    def _report_unreadable(self, reason: str) -> None:
        """Logged once, not every few seconds."""
        with self._lock:
            before, self._unreadable = self._unreadable, reason
        if reason and reason != before:
            logger.error("What serves goes on; the model registry cannot be read. %s", reason)


@dataclass(slots=True)
class _Loaded:
    version: ModelVersion
    model: LanguageModel
    free: Callable[[], None]
    leases: int = 0
    retired: bool = False


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str
    change: int
    until: float


def _same(one: Canary, other: Canary) -> bool:
    return one.version.fingerprint == other.version.fingerprint


def _entered(version: ModelVersion, load: Load) -> _Loaded:
    """Loaded, and seen to be what was registered. Raises RegistryError or ModelError."""
    with ExitStack() as stack:
        model = stack.enter_context(load(version))
        if model.identity.fingerprint != version.fingerprint:
            raise RegistryError(
                f"The file of {version.name} or of its base has changed since it was registered: "
                "put the original back."
            )
        return _Loaded(version, model, stack.pop_all().close)


@contextmanager
def open_version(
    version: ModelVersion,
    *,
    context_tokens: int = 4096,
    slots: int = 2,
    threads: int = 0,
    gpu_layers: int = 0,
    repack: bool = True,
) -> Iterator[LanguageModel]:
    """A version in llama.cpp, with its adapter; options as of LlamaEngine. Raises ModelError."""
    from bot.serving.llama_cpp.engine import LlamaEngine

    engine = LlamaEngine.load(
        version.weights,
        context_tokens=context_tokens,
        slots=slots,
        threads=threads,
        gpu_layers=gpu_layers,
        repack=repack,
        adapters={version.name: version.adapter} if version.adapter else {},
    )
    with closing(engine):
        yield engine.with_adapter(version.name) if version.adapter else engine
