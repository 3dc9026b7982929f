"""A folder becomes documents; what cannot be read is named, never skipped."""

import os
import unicodedata
from pathlib import Path

import pytest

from indexer.documents import Audience, Document
from indexer.errors import SourceError
from indexer.settings import FilesSource as FilesTable
from indexer.sources.base import Unreadable
from indexer.sources.files import FilesSource, matches
from tests.indexer import small_files


def read(folder: Path, audience: str = "public", link: str = "") -> list[Document | Unreadable]:
    table = FilesTable(
        name="docs", path=folder, audience=(audience,) if audience else (), link=link
    )
    return list(FilesSource(table).read())


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def only_unreadable(folder: Path, **given: str) -> Unreadable:
    (found,) = [one for one in read(folder, **given) if isinstance(one, Unreadable)]
    return found


def test_documents_come_sorted_with_ids_and_titles(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "b.md": "---\ntitle: Bee\n---\nText",
            "a/z.markdown": "# First *heading*\n## Second",
            "a/plain.txt": "no heading",
            "picture.png": b"\x89PNG",
            ".hidden.md": "no",
            ".git/x.md": "no",
        },
    )
    found = read(tmp_path)
    assert [(one.id, one.title) for one in found if isinstance(one, Document)] == [
        ("docs:b.md", "Bee"),
        ("docs:a/plain.txt", "plain"),
        ("docs:a/z.markdown", "First heading"),
    ]
    assert len(found) == 3


def test_front_matter_wins_over_the_source(tmp_path: Path) -> None:
    text = "---\naudience: group:hr\nurl: https://x.org/own\nupdated: 2025-01-31\n---\nText"
    write(tmp_path, {"a b.md": text, "c d.md": "Text"})
    own, other = read(tmp_path, link="https://x.org/{path}")
    assert isinstance(own, Document)
    assert isinstance(other, Document)
    assert own.audience == Audience.of("group:hr")
    assert (own.url, other.url) == ("https://x.org/own", "https://x.org/c%20d.md")
    assert own.modified is not None
    assert other.modified is None
    assert own.text == "Text"


def test_touching_a_file_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "Text"})
    (before,) = read(tmp_path)
    os.utime(tmp_path / "a.md", (1, 1))
    assert read(tmp_path) == [before]


def test_text_is_composed_unix_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "\ufeff" + unicodedata.normalize("NFD", "# Café\r\nText")})
    (found,) = read(tmp_path)
    assert isinstance(found, Document)
    assert (found.title, found.text) == ("Café", "# Café\nText")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"caf\xe9", "is not UTF-8 (byte 3); save it as UTF-8"),
        (b"a\0b", "NUL bytes"),
        (b"---\ntitle: [\n---\n", "front matter is not YAML"),
        (b"---\naudience: everyone\n---\n", "Unknown audience 'everyone'"),
        (b"x" * (20 * 2**20 + 1), "larger than 20 MiB"),
    ],
)
def test_an_unreadable_file_is_named_and_the_rest_is_read(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    write(tmp_path, {"bad.md": content, "good.md": "Text"})
    found = read(tmp_path)
    assert len(found) == 2
    unreadable = only_unreadable(tmp_path)
    assert unreadable.id == "docs:bad.md"
    assert unreadable.reason.startswith("bad.md: ")
    assert sentence in unreadable.reason


def test_without_an_audience_nobody_may_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "Text"})
    assert "add `audience: public`" in only_unreadable(tmp_path, audience="").reason


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"in/a.md": "Text", "out/secret.md": "Secret"})
    (tmp_path / "in/leak.md").symlink_to(tmp_path / "out/secret.md")
    (tmp_path / "in/folder").symlink_to(tmp_path / "out")
    (tmp_path / "in/inside.md").symlink_to(tmp_path / "in/a.md")
    found = read(tmp_path / "in")
    assert [one.id for one in found if isinstance(one, Document)] == ["docs:a.md", "docs:inside.md"]
    refused = [one for one in found if isinstance(one, Unreadable)]
    assert [one.id for one in refused] == ["docs:folder", "docs:leak.md"]
    assert all("leaves the source's folder" in one.reason for one in refused)


def test_a_link_to_nothing_and_a_pipe_are_named(tmp_path: Path) -> None:
    (tmp_path / "gone.md").symlink_to(tmp_path / "nothing.md")
    os.mkfifo(tmp_path / "pipe.md")
    found = read(tmp_path)
    assert all(isinstance(one, Unreadable) for one in found)
    assert [one.id for one in found] == ["docs:gone.md", "docs:pipe.md"]


def test_a_name_that_is_no_text_is_named(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md"))).write_text("Text")
    assert "its name is not UTF-8" in only_unreadable(tmp_path).reason


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
def test_a_forbidden_file_is_named_and_a_forbidden_folder_stops_all(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "Text", "sub/b.md": "Text"})
    (tmp_path / "a.md").chmod(0)
    assert "make it readable" in only_unreadable(tmp_path).reason
    (tmp_path / "sub").chmod(0)
    try:
        with pytest.raises(SourceError, match="cannot be listed"):
            read(tmp_path)
    finally:
        (tmp_path / "sub").chmod(0o755)


def test_a_folder_that_cannot_be_listed_stops_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise everything in it would count as vanished."""
    write(tmp_path, {"a.md": "Text", "sub/b.md": "Text"})
    list_folder = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceError, match="sub cannot be listed"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "does not exist"),
        ("file.md", "is no folder"),
        ("empty", "holds no documents"),
    ],
)
def test_a_source_that_is_not_there_is_an_error(tmp_path: Path, name: str, sentence: str) -> None:
    write(tmp_path, {"file.md": "Text", "empty/picture.png": b""})
    with pytest.raises(SourceError, match=sentence):
        read(tmp_path / name)


def test_files_of_other_kinds_are_extracted_and_bad_ones_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "bad.PDF": b"%PDF-1.4 broken",
            "book.epub": small_files.epub("Tea", {"a.html": "<p>Brew</p>"}),
            "~$plan.docx": b"a lock of Word's",
            "plan.docx": small_files.docx(small_files.paragraph("Book early.")),
        },
    )
    found = read(tmp_path, link="https://x.org/{path}")
    assert [
        (one.id, one.title, one.text, one.url) for one in found if isinstance(one, Document)
    ] == [
        ("docs:book.epub", "Tea", "Brew", "https://x.org/book.epub"),
        ("docs:plan.docx", "plan", "Book early.", "https://x.org/plan.docx"),
    ]
    assert only_unreadable(tmp_path).reason.startswith("bad.PDF: it is damaged")


def test_an_extracted_file_that_vanishes_leaves_the_memory(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a.html": "<p>A</p>", "b.html": "<p>Private</p>"})
    cache = tmp_path / "cache.sqlite"
    source = FilesSource(
        FilesTable(name="docs", path=tmp_path / "in", audience=("public",)), cache_path=cache
    )
    assert len(list(source.read())) == 2
    (tmp_path / "in/b.html").unlink()
    assert len(list(source.read())) == 1
    assert b"Private" not in cache.read_bytes()


def test_a_folder_has_readers_of_its_own(tmp_path: Path) -> None:
    page = "---\naudience: group:hr\n---\nText"
    write(
        tmp_path,
        {
            "leads/a.md": "T",
            "leads/b/c.html": "T",
            "leads/own.md": page,
            "hr/d.md": "T",
            "e.md": "T",
        },
    )
    table = FilesTable(
        name="docs",
        path=tmp_path,
        audience=("public",),
        audiences={"leads/**": ("slack_channel:C1",), "**/*.md": ("group:all",)},
    )
    found = {one.id: one for one in FilesSource(table).read()}
    readers = {
        key: one.audience.sorted() for key, one in found.items() if isinstance(one, Document)
    }
    assert readers == {
        "docs:e.md": ("group:all",),
        "docs:hr/d.md": ("group:all",),
        "docs:leads/a.md": ("slack_channel:C1",),
        "docs:leads/b/c.html": ("slack_channel:C1",),
        "docs:leads/own.md": ("group:hr",),
    }


def test_a_pattern_that_matches_nothing_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"leads/a.md": "Text"})
    table = FilesTable(
        name="docs", path=tmp_path, audience=("public",), audiences={"leeds/**": ("group:leads",)}
    )
    (reported,) = [one for one in FilesSource(table).read() if isinstance(one, Unreadable)]
    assert reported.reason.startswith('audiences "leeds/**": no file matches')


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("leads/**", ["leads/a.md", "leads/b/c.md"], ["leads.md", "x/leads/a.md", "leadsx/a.md"]),
        ("**/hr/*", ["hr/a.md", "x/y/hr/a.md"], ["hr/b/a.md", "xhr/a.md"]),
        ("*.md", ["a.md"], ["b/a.md", "amd", "a.mdx"]),
        ("a?[b]/**", ["ax[b]/c"], ["axb/c", "a/[b]/c"]),
    ],
)
def test_stars_mean_names_and_double_stars_folders(
    pattern: str, fits: list[str], does_not: list[str]
) -> None:
    assert all(matches(path, pattern) for path in fits)
    assert not any(matches(path, pattern) for path in does_not)


PLACES = {"leads/**": ("slack_channel:C1",), "hr/**": ("group:hr", "slack_channel:C1")}


def readers_in(folder: Path, audience: str = "public") -> dict[str, tuple[str, ...] | str]:
    """Who may read each page, or why it is refused."""
    table = FilesTable(name="docs", path=folder, audience=(audience,), audiences=PLACES)
    return {
        one.id.removeprefix("docs:"): (
            one.audience.sorted() if isinstance(one, Document) else one.reason
        )
        for one in FilesSource(table).read()
    }


def page(audience: str) -> str:
    return f"---\naudience: {audience}\n---\nText"


def test_a_page_cannot_make_public_what_its_folder_keeps(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "leads/open.md": page("public"),
            "leads/both.md": page("[public, 'group:all']"),
            "leads/same.md": page("slack_channel:C1"),
            "leads/other.md": page("group:hr"),
            "hr/fewer.md": page("[slack_channel:C1, 'group:x']"),
            "own.md": page("group:x"),
        },
    )
    assert readers_in(tmp_path) == {
        "hr/fewer.md": ("slack_channel:C1",),
        "leads/both.md": ("slack_channel:C1",),
        "leads/open.md": ("slack_channel:C1",),
        "leads/other.md": ("group:hr",),
        "leads/same.md": ("slack_channel:C1",),
        "own.md": ("group:x",),
    }
    assert readers_in(tmp_path, audience="group:all")["own.md"] == ("group:x",)


def test_a_link_is_for_those_whom_its_place_and_its_targets_admit(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "leads/plan.md": "Text",
            "hr/pay.md": "Text",
            "open/news.md": "Text",
            ".secrets/key.md": "Text",
            "open/.draft.md": "Text",
        },
    )
    links = {
        "open/plan.md": "leads/plan.md",
        "leads/news.md": "open/news.md",
        "leads/pay.md": "hr/pay.md",
        "open/key.md": ".secrets/key.md",
        "open/draft.md": "open/.draft.md",
    }
    for link, target in links.items():
        (tmp_path / link).symlink_to(tmp_path / target)
    found = readers_in(tmp_path)
    assert found["open/plan.md"] == ("slack_channel:C1",)
    assert found["leads/news.md"] == ("slack_channel:C1",)
    assert found["leads/pay.md"] == ("slack_channel:C1",)
    assert "a link to a hidden file" in found["open/key.md"]
    assert "a link to a hidden file" in found["open/draft.md"]


def test_a_link_between_folders_without_a_common_reader_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"hr/pay.md": "Text", "ops/run.md": "Text"})
    (tmp_path / "ops/pay.md").symlink_to(tmp_path / "hr/pay.md")
    table = FilesTable(
        name="docs",
        path=tmp_path,
        audience=("public",),
        audiences={"hr/**": ("group:hr",), "ops/**": ("group:ops",)},
    )
    (refused,) = [one for one in FilesSource(table).read() if isinstance(one, Unreadable)]
    assert "for group:ops, to a file for group:hr" in refused.reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.html",
            "---\naudience: group:hr\n---\n<html><body><p>Pay: 9.</p></body></html>",
        ),
        (
            "a.html",
            '<head><meta name="audience" content="group:hr"></head><p>Pay.</p>',
        ),
        ("a.rst", ":audience: group:hr\n\nPay\n===\n\nA million.\n"),
        ("a.rst", "---\nAudience: group:hr\n---\n\nPay\n===\n\nA million.\n"),
        ("a.rst", "\ufeff+++\naudience = 'group:hr'\n+++\n\nPay\n===\n\nA million.\n"),
        ("a.md", "---\nAudience : slack_user:U1\nPay\n"),
    ],
)
def test_readers_that_a_file_names_where_they_are_not_read_refuse_it(
    tmp_path: Path, name: str, content: str
) -> None:
    write(tmp_path, {name: content, "b.md": "Text"})
    found = readers_in(tmp_path)
    assert "it seems to name its readers" in found[name]
    assert found["b.md"] == ("public",)
