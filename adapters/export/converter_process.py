"""Runs one of llama.cpp's converter scripts, in a process of its own: see ``converter.py``.

Arguments: the converter's folder, the script, a pre-tokenizer to declare or "", then the script's
own. The scripts name a pre-tokenizer by a hash over one text's token ids, which every vocabulary
changes: a newly trained one is never recognised, although its pre-tokenizer is.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from typing import Any

from adapters.runs.child import die_with_parent


def main() -> None:
    die_with_parent()
    folder, script, pre_tokenizer, *arguments = sys.argv[1:]
    sys.path[:0] = [folder, f"{folder}/gguf-py"]
    if pre_tokenizer:
        _declare(pre_tokenizer)
    sys.argv = [script, *arguments]
    runpy.run_path(f"{folder}/{script}", run_name="__main__")


def _declare(pre_tokenizer: str) -> None:
    text_model: Any = importlib.import_module("conversion.base").TextModel
    recognised = text_model.get_vocab_base_pre

    def recognised_or_declared(model: object, tokenizer: object) -> str:
        try:
            name: str = recognised(model, tokenizer)
        except NotImplementedError:
            return pre_tokenizer
        return name

    text_model.get_vocab_base_pre = recognised_or_declared


if __name__ == "__main__":
    main()
