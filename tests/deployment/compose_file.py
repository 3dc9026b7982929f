"""docker-compose.yml as Compose reads it: merged, and with its variables put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PRODUCTION = ROOT / "docker-compose.yml"
DEVELOPMENT = ROOT / "docker" / "development.yml"

Service = dict[str, Any]

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}|\$\$")


def compose(path: Path = PRODUCTION, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The file with ``variables`` in place of what a person would write into .env."""
    given = variables or {}

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return given.get(match["name"]) or match["default"] or ""

    def filled(node: Any) -> Any:
        match node:
            case str():
                return _VARIABLE.sub(value, node)
            case dict():
                return {key: filled(each) for key, each in node.items()}
            case list():
                return [filled(each) for each in node]
        return node

    read = filled(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert isinstance(read, dict)
    return read


def services(variables: Mapping[str, str] | None = None) -> dict[str, Service]:
    found: dict[str, Service] = compose(variables=variables)["services"]
    return found


def networks(service: Service) -> dict[str, Any]:
    """By name, also where only names are listed."""
    given = service.get("networks", {})
    return given if isinstance(given, dict) else dict.fromkeys(given)


def names(service: Service, key: str) -> list[str]:
    """Of its secrets or configs."""
    return [each["source"] if isinstance(each, dict) else each for each in service.get(key, ())]


def volumes(service: Service) -> dict[str, str]:
    """What is mounted, by where."""
    parts = [each.split(":") for each in service.get("volumes", ())]
    return {part[1]: part[0] for part in parts}
