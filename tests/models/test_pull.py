from __future__ import annotations

import hashlib
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from bot.domain.errors import RegistryError
from bot.models import pull as pulling
from bot.models.download import RETRIES, RemoteFile, download
from bot.models.pull import locate, no_progress
from bot.models.registry import Registry
from bot.records.database import Database
from tests.services.model_files import write_gguf
from tests.services.model_hub import COMMIT, ModelHub, model_hub

__all__ = ["model_hub"]

pull = partial(pulling.pull, retry_seconds=0.001)
NAME = "owner/repository/small.gguf"


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A GGUF file of 3 MB, no two pieces of it alike."""
    start = write_gguf(tmp_path / "small.gguf").read_bytes()
    return start + b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(100_000))


@pytest.fixture
def hub(model_hub: ModelHub, content: bytes) -> ModelHub:
    model_hub.files[NAME] = content
    return model_hub


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with closing(Database(f"sqlite:///{tmp_path / 'records.sqlite'}")) as database:
        yield Registry(database, tmp_path / "models")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def left(registry: Registry) -> list[str]:
    return sorted(path.name for path in registry.folder.iterdir())


def remote(hub: ModelHub, expected: str) -> RemoteFile:
    url = f"{hub.url}/{NAME}"
    return RemoteFile(url, url, expected)


def test_pulled_file_is_whole_checked_and_registered(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    seen: list[tuple[int, int | None]] = []
    version = pull(
        registry,
        f"{hub.url.replace('//', '//user:secret@')}/{NAME}?signature=secret",
        sha256=sha256(content).upper(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert version == registry.version("small")
    assert version.path == registry.folder / "small.gguf"
    assert version.path.read_bytes() == content
    assert version.source == f"{hub.url}/{NAME}"
    assert seen[0] == (0, len(content))
    assert seen[-1] == (len(content), len(content))
    assert left(registry) == ["small.gguf"]


def test_broken_connection_is_taken_up_where_it_broke(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    hub.cuts = [1_000_000, 0, 1_000_000]
    pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    ranges = [request.headers.get("Range") for request in hub.asked()]
    assert ranges == [None, "bytes=1000000-", "bytes=1000000-", "bytes=2000000-"]


def test_later_call_goes_on_where_the_first_gave_up(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    hub.cuts = [1_000_000, *[0] * RETRIES]
    with pytest.raises(RegistryError, match=r"broke off.*1\.0 MB are kept.*goes on"):
        pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert left(registry) == [f"small.gguf.{sha256(content)[:12]}.part"]
    hub.requests.clear()
    version = pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert [request.headers["Range"] for request in hub.asked()] == ["bytes=1000000-"]
    assert version.path.read_bytes() == content
    assert left(registry) == ["small.gguf"]


def test_server_that_cannot_resume_is_read_from_the_beginning(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    hub.cuts, hub.resumes = [1_000_000], False
    version = pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert version.path.read_bytes() == content


def test_part_that_lacks_nothing_is_not_fetched_again(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    registry.folder.mkdir()
    (registry.folder / f"small.gguf.{sha256(content)[:12]}.part").write_bytes(content)
    pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert len(hub.asked()) == 1


def test_part_that_is_longer_than_the_file_is_thrown_away(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    registry.folder.mkdir()
    (registry.folder / f"small.gguf.{sha256(content)[:12]}.part").write_bytes(content + b"!")
    version = pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert version.path.read_bytes() == content


@pytest.mark.parametrize("tells_etag", [True, False])
def test_file_that_changes_meanwhile_is_never_mixed(
    tmp_path: Path, hub: ModelHub, content: bytes, tells_etag: bool
) -> None:
    """Without a checksum the server's own mark tells, and without that nothing is resumed."""
    changed = content[:1000] + content[2000:] + content[1000:2000]
    hub.cuts, hub.tells_etag = [1_000_000], tells_etag

    def change(done: int, total: int | None) -> None:
        if done == 1_000_000:
            hub.files[NAME] = changed

    target = tmp_path / "models" / "small.gguf"
    download(remote(hub, ""), target, change, retry_seconds=0.001)
    assert target.read_bytes() == changed
    assert len(hub.asked()) == 2


def test_unchanged_file_is_resumed_by_its_mark_without_a_checksum(
    tmp_path: Path, hub: ModelHub, content: bytes
) -> None:
    hub.cuts = [1_000_000]
    target = tmp_path / "models" / "small.gguf"
    download(remote(hub, ""), target, no_progress, retry_seconds=0.001)
    assert target.read_bytes() == content
    assert hub.asked()[1].headers["Range"] == "bytes=1000000-"


def test_nothing_is_kept_of_a_failure_without_a_checksum(tmp_path: Path, hub: ModelHub) -> None:
    hub.cuts = [1_000_000, *[0] * RETRIES]
    target = tmp_path / "models" / "small.gguf"
    with pytest.raises(RegistryError, match="begins anew"):
        download(remote(hub, ""), target, no_progress, retry_seconds=0.001)
    assert list(target.parent.iterdir()) == []


def test_another_file_than_expected_is_removed(registry: Registry, hub: ModelHub) -> None:
    with pytest.raises(RegistryError, match=f"not {'0' * 64} as expected, and was removed"):
        pull(registry, f"{hub.url}/{NAME}", sha256="0" * 64)
    assert left(registry) == []
    assert registry.versions() == []


def test_page_instead_of_a_model_is_removed(tmp_path: Path, hub: ModelHub) -> None:
    hub.files[NAME] = b"<html>Please log in</html>"
    target = tmp_path / "models" / "small.gguf"
    with pytest.raises(RegistryError, match="no GGUF file"):
        download(remote(hub, ""), target, no_progress)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "who you are"), (403, "may not"), (404, "no such file"), (410, "gone"), (418, "418")],
)
def test_refusal_is_explained_and_not_repeated(
    registry: Registry, hub: ModelHub, status: int, words: str
) -> None:
    hub.statuses = [status]
    with pytest.raises(RegistryError, match=rf"{words}.*lorebot model add") as caught:
        pull(registry, f"{hub.url}/{NAME}?signature=secret", sha256="0" * 64)
    assert "secret" not in str(caught.value)
    assert len(hub.requests) == 1


def test_busy_server_is_asked_again(registry: Registry, hub: ModelHub, content: bytes) -> None:
    hub.statuses = [503, 429, 500]
    pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    hub.statuses = [503] * (RETRIES + 1)
    with pytest.raises(RegistryError, match="status 503"):
        pull(registry, f"{hub.url}/{NAME}", name="again", sha256=sha256(content))


def test_without_a_network_the_other_way_is_named(registry: Registry) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(RegistryError, match=r"cannot be reached.*`lorebot model add FILE`"):
            pull(registry, f"{url}/a.gguf", sha256="0" * 64)
        with pytest.raises(RegistryError, match=r"hub cannot be reached.*lorebot model add FILE"):
            locate(f"hf:{NAME}", endpoint=url)


def test_too_small_a_disk_is_noticed_before_it_is_filled(registry: Registry, hub: ModelHub) -> None:
    hub.announced = 10**16
    with pytest.raises(RegistryError, match=r"GB left, but 10000000\.0 GB are to come"):
        pull(registry, f"{hub.url}/{NAME}", sha256="0" * 64)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_disk_that_fills_up_is_explained(registry: Registry, hub: ModelHub, content: bytes) -> None:
    registry.folder.mkdir()
    part = registry.folder / f"small.gguf.{sha256(content)[:12]}.part"
    part.symlink_to("/dev/full")
    with pytest.raises(RegistryError, match="is full: free some space"):
        pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))


def test_folder_that_is_a_file_is_named(registry: Registry, hub: ModelHub) -> None:
    registry.folder.write_text("")
    with pytest.raises(RegistryError, match="cannot be written"):
        pull(registry, f"{hub.url}/{NAME}", sha256="0" * 64)


def test_hub_says_which_file_it_is_exactly(hub: ModelHub, content: bytes) -> None:
    found = locate(f"hf:{NAME}@main", endpoint=hub.url)
    assert found.url == f"{hub.url}/owner/repository/resolve/{COMMIT}/small.gguf"
    assert found.source == f"hf:{NAME}@{COMMIT}"
    assert found.sha256 == sha256(content)
    with pytest.raises(RegistryError, match="check which"):
        locate(f"hf:{NAME}", "0" * 64, endpoint=hub.url)


def test_hub_s_file_is_pulled_resumed_and_registered(
    registry: Registry, hub: ModelHub, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "locate", partial(locate, endpoint=hub.url))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.cuts = [1_000_000]
    version = pull(registry, f"hf:{NAME}", name="mine")
    assert version.path.read_bytes() == content
    assert version.source == f"hf:{NAME}@{COMMIT}"
    to_hub = [r for r in hub.asked() if "resolve" in r.path]
    to_storage = [r for r in hub.asked() if "resolve" not in r.path]
    assert [request.headers.get("Range") for request in to_storage] == [None, "bytes=1000000-"]
    assert {request.headers.get("Authorization") for request in to_hub} == {"Bearer hf_secret"}
    assert {request.headers.get("Authorization") for request in to_storage} == {None}


def test_hub_learns_nothing_about_this_machine(hub: ModelHub) -> None:
    """Its client would tell the versions of Python and torch."""
    locate(f"hf:{NAME}", endpoint=hub.url)
    (asked,) = hub.asked("HEAD")
    told = {name.lower(): value for name, value in asked.headers.items()}
    assert told["user-agent"] == "lorebot"


def test_token_that_may_not_be_used_unasked_is_not_sent(
    hub: ModelHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert locate(f"hf:{NAME}", endpoint=hub.url).headers == {"Authorization": "Bearer hf_secret"}
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    assert locate(f"hf:{NAME}", endpoint=hub.url).headers == {}
    seen = [
        {name.lower(): value for name, value in request.headers.items()}.get("authorization")
        for request in hub.asked("HEAD")
    ]
    assert seen == ["Bearer hf_secret", None]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("GatedRepo", "licence"),
        ("RepoNotFound", "no model repository owner/repository"),
        ("RevisionNotFound", f"has no hf:{NAME}@v9"),
        ("EntryNotFound", f"has no hf:{NAME}@v9"),
    ],
)
def test_what_the_hub_refuses_is_explained(hub: ModelHub, refusal: str, words: str) -> None:
    hub.refusal = refusal
    with pytest.raises(RegistryError, match=words):
        locate(f"hf:{NAME}@v9", endpoint=hub.url)


def test_hub_that_is_down_is_explained(hub: ModelHub) -> None:
    hub.statuses = [500] * 10
    with pytest.raises(RegistryError, match="status 500"):
        locate(f"hf:{NAME}", endpoint=hub.url)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("small.gguf", "model add FILE"),
        ("hf:owner/small.gguf", "hf:owner/repository/file.gguf"),
        ("ftp://host/small.gguf", "nothing to pull"),
        ("https://[host/small.gguf", "nothing to pull"),
        ("https://host:99999/small.gguf", "nothing to pull"),
        ("hf:-owner/repository--x/small.gguf", "names no file of the hub"),
        ("http://host/small.gguf", "--sha256"),
    ],
)
def test_what_cannot_be_pulled_is_explained(source: str, words: str) -> None:
    with pytest.raises(RegistryError, match=words):
        locate(source)
    with pytest.raises(RegistryError, match="64 hexadecimal"):
        locate("https://host/small.gguf", "abc")


def test_address_that_nobody_can_ask_is_explained(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1 cannot be reached.*non-printable"):
        pull(registry, "https://127.0.0.1/\x07/small.gguf")


def test_what_is_there_is_not_pulled_again(
    registry: Registry, hub: ModelHub, content: bytes
) -> None:
    first = pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content)) == first
    assert len(hub.requests) == 1
    first.path.unlink()
    pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content)).check()
    assert len(hub.requests) == 2


def test_name_that_is_taken_is_refused_before_anything_is_fetched(
    registry: Registry, hub: ModelHub, content: bytes, tmp_path: Path
) -> None:
    registry.add(tmp_path / "small.gguf")
    with pytest.raises(RegistryError, match="--name"):
        pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    with pytest.raises(RegistryError, match="no name"):
        pull(registry, f"{hub.url}/a%20b.gguf", sha256=sha256(content))
    assert hub.requests == []


def test_file_in_its_place_is_taken_if_it_is_the_same_and_left_if_not(
    registry: Registry, hub: ModelHub, content: bytes, tmp_path: Path
) -> None:
    registry.folder.mkdir()
    place = registry.folder / "small.gguf"
    shutil.copy(tmp_path / "small.gguf", place)
    with pytest.raises(RegistryError, match="another file"):
        pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    place.write_bytes(content)
    pull(registry, f"{hub.url}/{NAME}", sha256=sha256(content))
    assert hub.requests == []
