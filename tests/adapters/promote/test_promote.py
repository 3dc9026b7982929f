"""Past the gate into the registry, or not, and then nothing has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.errors import PromotionRefused
from adapters.promote.promote import Candidate, identity, promote
from adapters.runs.manifest import MANIFEST, Manifest, Status, load
from adapters.settings import PromoteTable
from bot.models.registry import Registry
from bot.records.database import Database
from tests.adapters.candidates import a_candidate, measured
from tests.services.model_files import write_gguf

AT_ONCE = PromoteTable(canary_share=0)


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    """The version ``old`` answers."""
    registry = Registry(database, tmp_path / "models")
    registry.add(write_gguf(tmp_path / "old.gguf"), name="old")
    registry.activate("old", "ana")
    return registry


@pytest.fixture
def old(registry: Registry) -> str:
    return identity(registry.version("old"))


def promoted(
    registry: Registry,
    candidate: Candidate,
    folder: Path,
    table: PromoteTable = AT_ONCE,
    *,
    signed_by: str = "",
    again: bool = False,
) -> Manifest:
    return promote(
        table,
        registry,
        candidate,
        folder / "promote",
        name=candidate.name("default"),
        by="ben",
        signed_by=signed_by,
        again=again,
    )


def test_candidate_that_wins_answers_and_says_where_it_came_from(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    candidate = a_candidate(tmp_path / "line", serving=old)
    manifest = promoted(registry, candidate, tmp_path)
    version = registry.serving().version
    assert version is not None
    assert version.name == manifest.metrics["version"] == candidate.name("default")
    assert version.sha256 == candidate.sha256
    assert version.evaluation == {"f1": 0.8}
    assert version.note == "The candidate is better."
    assert Path(version.source).read_bytes() == manifest.output("lineage").read_bytes()
    assert registry.history()[0].by == "ben"


def test_promoted_file_outlives_the_next_run_of_the_line(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    candidate = a_candidate(tmp_path / "line", serving=old)
    promoted(registry, candidate, tmp_path)
    a_candidate(tmp_path / "line", file="next")
    candidate.made.output("gguf").unlink()
    registry.version(candidate.name("default")).check()


def test_canary_answers_a_share_first(registry: Registry, old: str, tmp_path: Path) -> None:
    table = PromoteTable(canary_share=0.2, canary_channels=("C1",))
    promoted(registry, a_candidate(tmp_path / "line", serving=old), tmp_path, table)
    serving = registry.serving()
    assert serving.version is not None
    assert serving.version.name == "old"
    assert serving.canary is not None
    assert (serving.canary.share, serving.canary.channels) == (0.2, ("C1",))


def test_unmerged_adapter_is_promoted_beside_its_base(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    base = registry.version("old").path
    candidate = a_candidate(tmp_path / "line", serving=old, base=base)
    promoted(registry, candidate, tmp_path)
    version = registry.serving().version
    assert version is not None
    assert version.base == registry.version("old")
    assert version.stamp == f"default-{candidate.sha256[:8]}@{candidate.sha256[:12]}"


def test_base_that_nobody_has_registered_is_registered_once_for_all_adapters(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    base = write_gguf(tmp_path / "untaught.gguf")
    in_channel = PromoteTable(canary_share=0, canary_channels=("C1",))
    for line in ("one", "other"):
        candidate = a_candidate(tmp_path / line, file=line, serving=old, base=base)
        promoted(registry, candidate, tmp_path / line, in_channel)
    bases = [version.base for version in registry.versions() if version.base]
    assert len(bases) == 2
    assert bases[0] == bases[1]
    assert bases[0].path.parent == registry.folder
    assert bases[0].path.read_bytes() == base.read_bytes()
    canary = registry.serving().canary
    assert canary is not None
    assert (canary.version.base, canary.channels) == (bases[0], ("C1",))


def test_adapter_measured_beside_another_base_is_refused(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    base = write_gguf(tmp_path / "untaught.gguf")
    first = a_candidate(tmp_path / "first", serving=old, base=base)
    other = f"{'0' * 64} candidate@{first.sha256[:12]}"
    candidate = a_candidate(tmp_path / "line", serving=old, base=base, evaluated=other)
    with pytest.raises(PromotionRefused, match="Another file was evaluated"):
        promoted(registry, candidate, tmp_path)
    assert [version.name for version in registry.versions()] == ["old"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"differences": [measured(low=-0.1)]}, "does not win"),
        ({"differences": [measured(), measured("em", 0.1, 0.9)]}, "worse in exact match"),
        ({"evaluated": "another"}, "Another file was evaluated"),
        ({"verified": "another"}, "Another file was verified"),
        ({"serving": "another"}, "compared with another model than the one that serves now"),
    ],
)
def test_refused_candidate_changes_nothing_and_is_told_why(
    registry: Registry, old: str, tmp_path: Path, given: dict[str, object], words: str
) -> None:
    candidate = a_candidate(tmp_path / "line", **{"serving": old, **given})  # type: ignore[arg-type]
    before = registry.versions(), registry.history(), sorted(tmp_path.glob("models/*"))
    with pytest.raises(PromotionRefused, match=words):
        promoted(registry, candidate, tmp_path)
    assert (registry.versions(), registry.history(), sorted(tmp_path.glob("models/*"))) == before
    refused = load(tmp_path / "promote")
    assert refused.status is Status.FAILED
    assert words in refused.reason


def test_every_reason_is_told_at_once(registry: Registry, tmp_path: Path) -> None:
    candidate = a_candidate(tmp_path / "line", [measured(low=-0.1)], serving="other", verified="x")
    with pytest.raises(PromotionRefused) as refusal:
        promoted(registry, candidate, tmp_path)
    assert len(str(refusal.value).splitlines()) == 1 + 3


def test_somebody_must_sign_where_the_settings_say_so(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    table = PromoteTable(canary_share=0, sign_off=True)
    candidate = a_candidate(tmp_path / "line", serving=old)
    with pytest.raises(PromotionRefused, match="Nobody has signed"):
        promoted(registry, candidate, tmp_path, table)
    promoted(registry, candidate, tmp_path, table, signed_by="Maja Lind")
    assert registry.history()[0].by == "Maja Lind"
    assert registry.version(candidate.name("default")).note.endswith("Signed by Maja Lind.")


def test_promotion_repeated_after_a_crash_changes_nothing(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    candidate = a_candidate(tmp_path / "line", serving=old)
    promoted(registry, candidate, tmp_path)
    before = registry.history(), sorted(registry.folder.iterdir())
    (tmp_path / "promote" / MANIFEST).unlink()
    promoted(registry, candidate, tmp_path)
    assert (registry.history(), sorted(registry.folder.iterdir())) == before


def test_what_was_rolled_back_can_be_promoted_again(
    registry: Registry, old: str, tmp_path: Path
) -> None:
    candidate = a_candidate(tmp_path / "line", serving=old)
    promoted(registry, candidate, tmp_path)
    registry.rollback("ana")
    assert identity(registry.serving().version) == old
    promoted(registry, candidate, tmp_path, again=True)
    version = registry.serving().version
    assert version is not None
    assert version.sha256 == candidate.sha256
