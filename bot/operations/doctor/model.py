"""The language model: the file or server that is to write, opened as the bot would open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from bot.domain.errors import LorebotError, RecordsError
from bot.domain.settings import Settings
from bot.domain.values import Message
from bot.models.registry import Registry
from bot.operations.doctor.finding import Finding, well, wrong
from bot.records.database import Database
from bot.records.inspection import probe
from bot.serving.model import Sampling
from bot.serving.opening import connect_model, load_model, make_model, try_model
from indexer.trials import Trials

_CRASHES = "Mend llama.cpp or choose another model; until then documents are quoted."


def model(settings: Settings) -> Iterator[Finding]:
    """What is pinned or serves can write; having none is no mistake."""
    table = settings.model
    if table.path:
        mend = "Correct [model] path, fetch the file again, or give the machine more memory."
        trials = Trials(settings.cache_dir)
        verdict = try_model(table, table.path, trials, again=True)
        if not verdict.is_usable:
            yield wrong("model", verdict.note, _CRASHES)
            return
        try:
            with closing(load_model(table, table.path, trials)) as opened:
                yield well("model", f"{opened.identity.name} can be loaded. {verdict.note}".strip())
        except LorebotError as error:
            yield wrong("model", str(error), mend)
    elif table.url:
        mend = "Check [model] url, name and api_key, and that the server runs."
        try:
            with closing(connect_model(table)) as opened:
                yield well("model", f"{opened.identity.name} answers.")
        except LorebotError as error:
            yield wrong("model", str(error), mend)
    elif table.llm:
        mend = "Check class and arguments of [model.llm], and that its server runs."
        try:
            with closing(make_model(table.llm, table.context_tokens)) as opened:
                next(opened.stream([Message("user", "Say yes.")], Sampling(max_tokens=4)), "")
                yield well("model", f"{opened.identity.name} answers.")
        except LorebotError as error:
            yield wrong("model", str(error), mend)
    else:
        yield from _registered(settings)


def _registered(settings: Settings) -> Iterator[Finding]:
    try:
        if not settings.has_records or not probe(settings.records_url).revision:
            yield well("model", "No model is set: documents are quoted.")
            return
        with closing(Database(settings.records_url)) as database:
            serving = Registry(database, settings.models_dir).serving()
            versions = [serving.version, serving.canary.version if serving.canary else None]
            for version in filter(None, versions):
                version.check()
                verdict = try_model(
                    settings.model,
                    version.weights,
                    Trials(settings.cache_dir),
                    version.adapter,
                    again=True,
                )
                if verdict.is_usable:
                    said = f"{version.name} is there and unchanged. {verdict.note}".strip()
                    yield well("model", said)
                else:
                    yield wrong("model", f"{version.name}: {verdict.note}", _CRASHES)
            if not any(versions):
                yield well("model", "No model serves: documents are quoted.")
    except RecordsError as error:
        said = f"Which model serves is in the records, and they cannot be read. {error}"
        yield wrong("model", said, "Mend the records first: `lorebot doctor --only records`.")
    except LorebotError as error:
        mend = "`lorebot model use` another version, or `lorebot model pull` the file again."
        yield wrong("model", str(error), mend)
