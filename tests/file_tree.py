"""The file tree in docs/files.md, made of the files' own first lines.

``python -m tests.file_tree`` writes it; a test holds it to the disk.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "files.md"
PACKAGES = ("indexer", "bot", "adapters")
_TREE = re.compile(r"(?<=```text\n).*?(?=```)", re.DOTALL)


def tree() -> str:
    return "".join(line + "\n" for package in PACKAGES for line in _folder(ROOT / package, 0))


def written() -> str:
    found = _TREE.search(PAGE.read_text(encoding="utf-8"))
    return found[0] if found else ""


def _folder(folder: Path, depth: int) -> Iterator[str]:
    if not any(folder.rglob("*.py")):
        return
    yield _line(depth, f"{folder.name}/", _first_line(folder / "__init__.py"))
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    for path in entries:
        if path.suffix == ".py" and path.name != "__init__.py" and path.stem.isidentifier():
            yield _line(depth + 1, path.name, _first_line(path))
    for path in entries:
        if path.is_dir():
            yield from _folder(path, depth + 1)


def _line(depth: int, name: str, comment: str) -> str:
    return f"{'  ' * depth + name:<28}{comment}".rstrip()


def _first_line(path: Path) -> str:
    if not path.is_file():
        return ""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return docstring.partition("\n")[0].removesuffix(".")


if __name__ == "__main__":
    PAGE.write_text(
        _TREE.sub(lambda _: tree(), PAGE.read_text(encoding="utf-8"), count=1), encoding="utf-8"
    )
