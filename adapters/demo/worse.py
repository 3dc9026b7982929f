"""A dataset made worse on purpose: every question is taught with the answer of another one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adapters.dataset.examples import Example, Kind, read_items, write_items
from adapters.runs.manifest import Manifest, Run, run_stage


def write_worse(dataset: Manifest, folder: Path) -> Manifest:
    """The same dataset in ``folder``; in ``train`` and ``validation`` each question has the answer
    of the next one.
    """

    def work(run: Run) -> None:
        for name in dataset.outputs:
            source = dataset.output(name)
            target = run.folder / f"{name}{source.suffix}"
            if name in ("train", "validation"):
                write_items(target, _exchanged(list(read_items(source, Example))))
            else:
                shutil.copyfile(source, target)
            run.outputs[name] = target

    inputs: dict[str, Path | str] = {name: dataset.output(name) for name in dataset.outputs}
    return run_stage("dataset", folder, settings={"worse": True}, inputs=inputs, work=work)


def _exchanged(examples: Sequence[Example]) -> list[Example]:
    said = [each.completion for each in examples if each.kind is Kind.ANSWER]
    others = iter([*said[1:], *said[:1]])
    return [
        replace(each, completion=next(others)) if each.kind is Kind.ANSWER else each
        for each in examples
    ]
