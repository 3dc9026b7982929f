"""What is told to admins without the names of documents, which not every admin may read."""

from __future__ import annotations

import re

from bot.records.audit import Act

WHERE_NAMED = "`lorebot-index status`, where the index is kept, names them"

# Where a sentence of the indexer's sources names a document, a folder, or quotes a library.
_NAMING = (
    (re.compile(r"(?s): (?:.+) (cannot be listed \()"), r": a folder \1"),
    (re.compile(r"(?s) yields .+ twice;"), " yields one document twice;"),
    (re.compile(r"(?s) fails \(.*\);"), " fails;"),
)
_NAMED = {"forget document": "a document"}
_NAMED_FIRST = {("forget", "document"): "document …", ("reindex", "url"): "url …"}


def without_names(failure: str) -> str:
    """Why a source could not be read, naming the source alone."""
    for naming, unnamed in _NAMING:
        failure = naming.sub(unnamed, failure)
    return failure


def subject_for(act: Act, viewer: str) -> str:
    """What an act was about; documents and addresses only to the admin who named them."""
    if act.actor == viewer:
        return act.subject
    if act.action in _NAMED:
        return _NAMED[act.action]
    first = act.subject.partition(" ")[0].lower()
    action = act.action.partition(" ")[0]
    return _NAMED_FIRST.get((action, first), act.subject)
