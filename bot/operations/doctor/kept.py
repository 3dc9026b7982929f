"""What is kept: the records, the unfinished work, the embedder and the index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bot.domain.errors import RecordsError
from bot.domain.settings import Settings
from bot.jobs.deaths import given_up
from bot.operations.doctor.finding import Finding, well, wrong
from bot.records.inspection import probe
from indexer.embedding.embedding import LlamaCppEmbedding
from indexer.errors import EmbedderError, IndexerError, StoreOutdated
from indexer.index import Index, open_index

_LONGEST_SILENCE = timedelta(days=1)
_LATELY = timedelta(days=7)
_NO_INDEX = (
    "See `lorebot-index status`; `lorebot-index rebuild` makes the index anew from its sources."
)


def records(settings: Settings) -> Iterator[Finding]:
    """The databases of records and jobs answer, are whole, and no newer than this version; no job
    was given up lately.
    """
    for name, url in _databases(settings).items():
        try:
            found = probe(url)
        except RecordsError as error:
            yield wrong(
                "records",
                f"The {name} cannot be opened. {error}",
                "Check [records] url and password, and that the server runs. For a damaged file, "
                "stop the bot and run `lorebot restore` with the newest backup.",
            )
            continue
        if name != "jobs" and not found.is_known:
            yield wrong(
                "records",
                f"{found.place} was written by a newer Lorebot (schema {found.revision}).",
                "Install that version again; schemas are never taken back.",
            )
        elif found.exists:
            yield well("records", f"The {name} at {found.place} answer.")
            if "jobs" in name:
                yield from _given_up(url)
        else:
            yield well("records", f"The {name} at {found.place} are made at the first start.")


def _given_up(url: str) -> Iterator[Finding]:
    """Jobs that were given up lately because two processes in a row had died in them."""
    found = given_up(url, datetime.now(UTC) - _LATELY)
    if found:
        kinds = ", ".join(
            f"{count:,} of the kind {name!r}" for name, count in sorted(found.items())
        )
        yield wrong(
            "records",
            f"Jobs given up in the last {_LATELY.days} days because two processes in a row had "
            f"died in them: {kinds}.",
            "Look in the log, before the line that gives one up, for what the process died of; "
            "where it was memory, give it more.",
        )


def _databases(settings: Settings) -> dict[str, str]:
    """Addresses by what is kept there; one that is shared is there once, and asked once."""
    if settings.records_url == settings.jobs_url:
        return {"records and jobs": settings.records_url}
    return {"records": settings.records_url, "jobs": settings.jobs_url}


def embedder(settings: Settings) -> Iterator[Finding]:
    """It can be opened, and turns text into a vector."""
    table = settings.index
    try:
        embedding = LlamaCppEmbedding.find(table.embedder, settings.cache_dir, table.threads)
        try:
            embedding.get_query_embedding("Is anybody there?")
        finally:
            embedding.close()
    except EmbedderError as error:
        yield wrong(
            "embedder",
            str(error),
            'Remove [index] embedder for the default, "all-MiniLM-L6-v2", or name a GGUF file of '
            "an embedding model.",
        )
    else:
        yield well("embedder", f"{embedding.identity} embeds.")


def index(settings: Settings) -> Iterator[Finding]:
    """It answers, belongs to this embedder, and was brought up to date lately."""
    if settings.store.kind == "sqlite" and not settings.index_path.exists():
        yield well("index", f"The index at {settings.index_path} is made at the first start.")
        return
    try:
        with open_index(settings) as opened:
            yield from _of_index(settings, opened)
    except EmbedderError:
        return  # the embedder's own check says so
    except StoreOutdated as error:
        yield wrong("index", str(error), "Run `lorebot-index sync`: all of it is embedded anew.")
    except IndexerError as error:
        mend = "Check [store] url, grpc_port and api_key, and that the server runs."
        yield wrong("index", str(error), mend if settings.store.kind == "weaviate" else _NO_INDEX)


def _of_index(settings: Settings, opened: Index) -> Iterator[Finding]:
    documents = opened.store.documents()
    if documents:
        yield well("index", f"{settings.index_address} holds {len(documents):,} documents.")
    else:
        yield wrong(
            "index",
            f"{settings.index_address} holds no document: nothing can be answered.",
            "Run `lorebot-index sync` and read what it says.",
        )
    now, entries = datetime.now(UTC), opened.journal.read()
    for table in settings.sources:
        entry = entries.get(table.name)
        if entry is None:
            continue
        if entry.failure:
            yield wrong("index", f"{table.name} could not be read: {entry.failure}", _NO_INDEX)
        elif settings.index.worker and now - entry.finished > _LONGEST_SILENCE:
            yield wrong(
                "index",
                f"{table.name} was read last at {entry.finished:%Y-%m-%d %H:%M} UTC.",
                "Start `lorebot worker`, or see in its log why it does not go on.",
            )
        elif entry.unreadable:
            yield well(
                "index",
                f"{table.name}: {len(entry.unreadable)} documents could not be read; "
                "`lorebot-index status` names them.",
            )
