"""What code a run was made by: the git commit, and the versions of the packages."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = (
    "lorebot", "torch", "transformers", "peft", "trl", "bitsandbytes", "accelerate", "datasets",
    "tokenizers", "safetensors", "llama_cpp_python", "gguf", "numpy",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


@cache
def code_revision() -> tuple[str, bool]:
    """The commit of a checkout that holds this very package, and whether anything differs from it.

    A package installed into an environment inside somebody's repository has none.
    """
    git = shutil.which("git")
    package = Path(__file__).parent

    def output_of(*arguments: str) -> str | None:
        done = subprocess.run(  # noqa: S603 - constants only
            [git or "git", *arguments], cwd=package, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    if git is None or output_of("ls-files", "--error-unmatch", "__init__.py") is None:
        return "", False
    return output_of("rev-parse", "HEAD") or "", bool(output_of("status", "--porcelain"))
