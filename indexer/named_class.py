"""Classes that the settings name: imported, and made with the arguments that stand beside them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from indexer.errors import IndexSettingsError
from indexer.settings import NamedClass

_FAMILY = "llama_index."
_HIDDEN = "**********"
_LONGEST = 300


def make(table: NamedClass, kind: type[Any], setting: str) -> Any:
    """A ``kind``: an object of the named class, or what its named classmethod returns.

    An argument of the form ``{class = "module:Class", arguments = {…}}`` is made first, in the
    same way. Raises IndexSettingsError, a sentence that begins with ``setting``, for what cannot
    be imported or made, and for what is no ``kind``.
    """
    try:
        made = _made(table.class_name, table.arguments)
    except ImportError as error:
        fault, advice = f"cannot be imported ({error})", to_install(table.class_name)
    except AttributeError as error:
        fault, advice = f"is not in its module ({error})", "correct the name after the :"
    except Exception as error:  # noqa: BLE001 - whatever the named class raises
        fault = f"cannot be made ({told(error, table.arguments)})"
        advice = "correct its arguments"
    else:
        if isinstance(made, kind):
            return made
        fault, advice = f"is no {kind.__name__}", "name a class that is one"
    raise IndexSettingsError(f"{setting}: {table.class_name} {fault}; {advice}.")


def named(name: str) -> Any:
    """What ``module:Class`` or ``module:Class.method`` stands for.

    Raises ImportError and AttributeError.
    """
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


def plain(value: Any) -> Any:
    """A setting's secrets as plain words, and its classes as objects: for the named class alone."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case {"class": str(name)} if value.keys() <= {"class", "arguments"}:
            return _made(name, value.get("arguments", {}))
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
    return value


def told(error: Exception, *arguments: Any) -> str:
    """What the error says, in one line, without the secrets among ``arguments``."""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    for secret in _secrets(arguments):
        said = said.replace(secret, _HIDDEN)
    return said[:_LONGEST]


def to_install(name: str) -> str:
    """Advice for a class that cannot be imported; LlamaIndex names its packages as its modules."""
    package, parts = "the package it comes from", name.partition(":")[0].split(".")
    if name.startswith(_FAMILY) and len(parts) > 2:
        package = "-".join(("llama-index", *parts[1:3])).replace("_", "-")
    return f"install {package} beside Lorebot (pip install …), or correct the name"


def _made(name: str, arguments: dict[str, Any]) -> object:
    return named(name)(**plain(arguments))


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr) and value.get_secret_value():
        yield value.get_secret_value()
    elif isinstance(value, dict):
        yield from _secrets(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets(each)
