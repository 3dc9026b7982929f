from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gguf
import pytest

from bot.domain.errors import RegistryError
from bot.models.registry import Registry
from bot.models.versions import Canary, Serving
from bot.records.database import Database
from tests.services.model_files import write_gguf

ANA, BEN = "ana", "ben"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def registry(database: Database, folder: Path) -> Registry:
    """With versions a, b and c; nothing serves."""
    registry = Registry(database, folder)
    for name in "abc":
        registry.add(write_gguf(folder / f"{name}.gguf"))
    return registry


def serving(registry: Registry) -> str:
    version = registry.serving().version
    return version.name if version else ""


def test_version_comes_back_as_it_was_added(registry: Registry, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "small.gguf", file_type=gguf.LlamaFileType.MOSTLY_Q4_K_M)
    added = registry.add(
        path, name="small-1", source="hf:o/r/s.gguf@1", evaluation={"f1": 0.5}, note="first"
    )
    assert registry.version("small-1") == registry.versions()[-1] == added
    assert (added.path, added.size, added.quantization) == (path, path.stat().st_size, "Q4_K_M")
    assert (added.source, added.evaluation, added.note) == ("hf:o/r/s.gguf@1", {"f1": 0.5}, "first")
    assert len(added.sha256) == 64


def test_versions_are_listed_in_the_order_they_came(registry: Registry) -> None:
    assert [version.name for version in registry.versions()] == ["a", "b", "c"]


def test_adapter_is_a_version_beside_its_base(registry: Registry, folder: Path) -> None:
    tuned = registry.add(write_gguf(folder / "tuned.gguf", adapter=True), base="a")
    assert tuned.base == (base := registry.version("a"))
    assert (tuned.weights, tuned.adapter) == (base.path, tuned.path)
    assert tuned.fingerprint == (base.sha256, f"tuned@{tuned.sha256[:12]}")
    assert (base.weights, base.adapter, base.fingerprint) == (base.path, None, (base.sha256, ""))


def test_adapter_of_an_adapter_or_of_nothing_is_refused(registry: Registry, folder: Path) -> None:
    registry.add(write_gguf(folder / "tuned.gguf", adapter=True), base="a")
    other = write_gguf(folder / "other.gguf", adapter=True)
    with pytest.raises(RegistryError, match="adapter itself: name the whole model a"):
        registry.add(other, base="tuned")
    with pytest.raises(RegistryError, match=r"no model version z\. There are: a, b, c, tuned"):
        registry.add(other, base="z")


def test_name_is_taken_once(registry: Registry, tmp_path: Path) -> None:
    other = write_gguf(tmp_path / "other.gguf")
    with pytest.raises(RegistryError, match="--name"):
        registry.add(other, name="a")
    with pytest.raises(RegistryError, match="no name"):
        registry.add(other, name="../a")


def test_same_file_added_again_notes_its_new_place(registry: Registry, tmp_path: Path) -> None:
    before = registry.version("a")
    moved = before.path.rename(tmp_path / "a.gguf")
    with pytest.raises(RegistryError, match="no model file"):
        registry.activate("a", ANA)
    assert registry.add(moved).path == moved
    registry.activate("a", ANA)


def test_files_in_the_folder_move_with_it(
    registry: Registry, database: Database, folder: Path, tmp_path: Path
) -> None:
    moved = folder.rename(tmp_path / "elsewhere")
    Registry(database, moved).version("a").check()


def test_one_name_added_at_the_same_time_is_added_once(database: Database, folder: Path) -> None:
    registry = Registry(database, folder)
    paths = [write_gguf(folder / f"{number}.gguf") for number in range(8)]

    def add(path: Path) -> str:
        try:
            registry.add(path, name="same")
        except RegistryError as error:
            return str(error)
        return "added"

    with ThreadPoolExecutor(len(paths)) as threads:
        results = list(threads.map(add, paths))
    assert results.count("added") == 1
    assert all("another version named same" in result for result in results if result != "added")


def test_nothing_serves_until_a_version_is_activated(registry: Registry) -> None:
    assert registry.serving() == Serving()
    registry.activate("b", ANA)
    assert registry.serving() == Serving(registry.version("b"), None, change=1)


def test_changed_and_missing_files_never_serve(registry: Registry, folder: Path) -> None:
    path = registry.version("a").path
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(RegistryError, match=r"a cannot serve: .*a\.gguf has changed"):
        registry.activate("a", ANA)
    with pytest.raises(RegistryError, match="has changed"):
        registry.canary("a", ANA, share=0.5)
    path.write_bytes(b"<html>")
    with pytest.raises(RegistryError, match="not a GGUF file"):
        registry.activate("a", ANA)
    assert registry.history() == []


def test_adapter_does_not_serve_on_a_changed_base(registry: Registry, folder: Path) -> None:
    registry.add(write_gguf(folder / "tuned.gguf", adapter=True), base="a")
    path = registry.version("a").path
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(RegistryError, match=r"a\.gguf has changed"):
        registry.activate("tuned", ANA)


def test_rollback_goes_back_step_by_step_and_never_forth(registry: Registry) -> None:
    for name in ("a", "b", "b", "c"):
        registry.activate(name, ANA)
    assert registry.rollback(BEN) == registry.version("b")
    assert registry.rollback(BEN) == registry.version("a")
    with pytest.raises(RegistryError, match="Nothing served before a"):
        registry.rollback(BEN)
    registry.activate("c", ANA)
    registry.rollback(BEN)
    assert serving(registry) == "a"


def test_rollback_before_anything_served_is_explained(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="nothing to return to"):
        registry.rollback(ANA)


def test_rollback_to_a_missing_file_is_refused_and_changes_nothing(registry: Registry) -> None:
    registry.activate("a", ANA)
    registry.activate("b", ANA)
    registry.version("a").path.unlink()
    with pytest.raises(RegistryError, match="no model file"):
        registry.rollback(ANA)
    assert serving(registry) == "b"


def test_rollback_skips_what_was_removed(registry: Registry) -> None:
    for name in "abc":
        registry.activate(name, ANA)
    registry.remove("b", ANA, force=True)
    assert registry.rollback(ANA) == registry.version("a")


def test_canary_serves_beside_and_rollback_ends_it_first(registry: Registry) -> None:
    registry.activate("a", ANA)
    registry.activate("b", ANA)
    begun = registry.canary("c", BEN, share=0.25, channels=("C1", "C2"))
    assert begun == Canary(registry.version("c"), 0.25, ("C1", "C2"))
    assert registry.serving() == Serving(registry.version("b"), begun, change=3)
    assert registry.rollback(BEN) == registry.version("b")
    assert registry.serving().canary is None
    assert registry.rollback(BEN) == registry.version("a")


def test_activating_a_version_ends_the_canary(registry: Registry) -> None:
    registry.activate("a", ANA)
    registry.canary("b", ANA, share=1)
    registry.activate("b", ANA)
    assert registry.serving() == Serving(registry.version("b"), None, change=3)
    registry.canary("c", ANA, share=1)
    registry.activate("b", ANA)
    assert registry.serving().canary is None
    assert registry.rollback(ANA) == registry.version("a")


def test_canary_may_serve_alone_and_be_ended(registry: Registry) -> None:
    registry.canary("a", ANA, channels=("C1",))
    assert registry.rollback(ANA) is None
    registry.canary("a", ANA, channels=("C1",))
    registry.end_canary(ANA)
    assert registry.serving().canary is None
    with pytest.raises(RegistryError, match="no canary"):
        registry.end_canary(ANA)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_canary_needs_questions(registry: Registry, share: float) -> None:
    with pytest.raises(RegistryError, match="share"):
        registry.canary("a", ANA, share=share)


def test_canary_of_what_serves_is_refused(registry: Registry) -> None:
    registry.activate("a", ANA)
    with pytest.raises(RegistryError, match="already"):
        registry.canary("a", ANA, share=0.5)


def test_history_says_who_did_what_and_what_served_then(registry: Registry) -> None:
    registry.activate("a", ANA)
    registry.canary("b", BEN, channels=("C1",))
    registry.rollback(ANA)
    registry.activate("b", ANA)
    registry.remove("a", BEN, force=True)
    told = [(c.action, c.version, c.serving, c.canary, c.by) for c in registry.history()]
    assert told == [
        ("remove", "a", "b", "", BEN),
        ("use", "b", "b", "", ANA),
        ("end canary", "b", "a", "", ANA),
        ("canary", "b", "a", "b", BEN),
        ("use", "a", "a", "", ANA),
    ]
    assert registry.history()[3].channels == ("C1",)
    moments = [change.at for change in registry.history()]
    assert moments == sorted(moments, reverse=True)


def test_what_serves_or_may_be_returned_to_is_removed_only_by_force(registry: Registry) -> None:
    registry.activate("a", ANA)
    registry.activate("b", ANA)
    registry.canary("c", ANA, share=0.5)
    for name, role in (("a", "rollback"), ("b", "serves"), ("c", "canary")):
        with pytest.raises(RegistryError, match=role):
            registry.remove(name, ANA)
    registry.remove("a", ANA, force=True)
    assert registry.serving().canary == Canary(registry.version("c"), 0.5)
    registry.remove("b", ANA, force=True)
    assert registry.serving().version is None
    assert registry.serving().canary is not None
    registry.remove("c", ANA, force=True)
    assert (registry.serving().version, registry.serving().canary) == (None, None)


def test_base_of_an_adapter_is_never_removed(registry: Registry, folder: Path) -> None:
    registry.add(write_gguf(folder / "tuned.gguf", adapter=True), base="a")
    with pytest.raises(RegistryError, match="base of tuned"):
        registry.remove("a", ANA, force=True)
    registry.remove("tuned", ANA)
    registry.remove("a", ANA)


def test_removing_deletes_pulled_files_and_leaves_other_people_s(
    registry: Registry, tmp_path: Path
) -> None:
    own = registry.version("a").path
    elsewhere = write_gguf(tmp_path / "mine.gguf")
    registry.add(elsewhere)
    registry.add(own, name="twin")
    registry.remove("a", ANA)
    assert own.exists()
    registry.remove("twin", ANA)
    registry.remove("mine", ANA)
    assert not own.exists()
    assert elsewhere.exists()


def test_file_beside_the_folder_is_not_taken_for_one_of_its_own(
    registry: Registry, tmp_path: Path
) -> None:
    precious = write_gguf(tmp_path / "precious.gguf")
    link = registry.folder / "linked.gguf"
    link.symlink_to(precious)
    registry.add(registry.folder / ".." / "precious.gguf")
    registry.remove("precious", ANA)
    registry.add(link)
    registry.remove("linked", ANA)
    assert precious.exists()
    assert not link.exists()


def test_evaluation_is_kept_with_its_version(registry: Registry) -> None:
    registry.evaluate("a", {"citation_precision": 0.91, "f1": 0.4}, "nightly")
    registry.evaluate("a", {"f1": 0.5})
    version = registry.version("a")
    assert (version.evaluation, version.note) == ({"f1": 0.5}, "nightly")
    with pytest.raises(RegistryError, match="no model version z"):
        registry.evaluate("z", {})


def test_changes_at_the_same_time_follow_one_another(registry: Registry) -> None:
    registry.activate("a", ANA)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: registry.activate(name, ANA), "bcbcbcbc"))
    changes = registry.history()[::-1]
    assert [change.number for change in changes] == sorted({c.number for c in changes})
    steps = [changes[0].serving]
    for change in changes[1:]:
        if change.serving != steps[-1]:
            steps.append(change.serving)
    for step in steps[-2::-1]:
        assert registry.rollback(ANA) == registry.version(step)


def test_share_is_stable_near_its_size_and_another_for_each_version(registry: Registry) -> None:
    threads = [f"1700000000.{number:06}" for number in range(4000)]
    one, other = (Canary(registry.version(name), share=0.25) for name in "ab")
    taken = [one.takes(thread, "C1") for thread in threads]
    assert taken == [one.takes(thread, "C1") for thread in threads]
    assert 0.22 < sum(taken) / len(taken) < 0.28
    assert taken != [other.takes(thread, "C1") for thread in threads]
    assert taken != [one.takes(thread, "C2") for thread in threads]
    more = Canary(one.version, share=0.5)
    assert all(more.takes(thread, "C1") for thread, was in zip(threads, taken, strict=True) if was)


def test_canary_takes_everything_in_its_channels(registry: Registry) -> None:
    canary = Canary(registry.version("a"), channels=("C1",))
    assert all(canary.takes(str(number), "C1") for number in range(100))
    assert not any(canary.takes(str(number), "C2") for number in range(100))
    everybody = Canary(registry.version("a"), share=1.0)
    assert all(everybody.takes(str(number), "C2") for number in range(100))
