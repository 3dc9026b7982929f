"""Read Jupyter notebooks: text and code, without the output of the code."""

from __future__ import annotations

import json
from typing import Any

from indexer.chunking.markdown import first_heading
from indexer.formats.extracted import Extracted
from indexer.formats.plain import decode


def read(content: bytes) -> Extracted:
    notebook = json.loads(decode(content))
    information = notebook.get("metadata", {}).get("language_info", {})
    language = str(information.get("name", "python"))
    cells = [_cell(cell, language) for cell in notebook["cells"]]
    text = "\n\n".join(cell for cell in cells if cell)
    return Extracted(first_heading(text), text)


def _cell(cell: dict[str, Any], language: str) -> str:
    source = cell["source"]
    text = (source if isinstance(source, str) else "".join(source)).strip("\n")
    if cell["cell_type"] != "code" or not text:
        return text
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text}\n{fence}"
