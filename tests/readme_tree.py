"""The README's file tree, made of the files' own first lines.

``python -m tests.readme_tree`` writes it into README.md; a test holds the two together.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("indexer", "bot", "adapters")
_TREE = re.compile(r"(?<=```text\n).*?(?=```)", re.DOTALL)


def tree() -> str:
    return "".join(line + "\n" for package in PACKAGES for line in _folder(ROOT / package, 0))


def in_readme() -> str:
    found = _TREE.search((ROOT / "README.md").read_text())
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
    readme = ROOT / "README.md"
    readme.write_text(_TREE.sub(lambda _: tree(), readme.read_text(), count=1))
