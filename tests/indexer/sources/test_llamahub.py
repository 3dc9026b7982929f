"""LlamaHub readers become sources; what goes wrong in them is a sentence."""

import logging
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document as LlamaDocument
from pydantic import SecretStr

from indexer.documents import Audience, Document
from indexer.errors import SourceError
from indexer.settings import LlamaHubSource
from indexer.sources.llamahub import LlamaHubReader

HERE = "tests.indexer.sources.test_llamahub"
FOLDER_READER = "llama_index.core:SimpleDirectoryReader"


class WikiReader(BaseReader):
    """A reader as people write them: arguments, secrets, and documents with metadata."""

    def __init__(self, token: str, space: dict[str, str] | None = None) -> None:
        if token != "hush":
            raise PermissionError("wrong token")
        self.space = space or {}

    def load_data(self, pages: int = 1, **metadata: Any) -> list[LlamaDocument]:
        return [
            LlamaDocument(
                id_=f"page-{number}",
                text=f"# Page {number}\r\nText",
                metadata={"url": f"https://x.org/{number}", **self.space, **metadata},
            )
            for number in range(pages)
        ]


class ForgetfulReader(BaseReader):
    def load_data(self, count: int = 1) -> list[Any]:
        return [LlamaDocument(text="Text", metadata={"path": "a"}) for _ in range(count)]


class StrangeReader(BaseReader):
    def load_data(self) -> list[Any]:
        return ["text"]


def source(reader: str, **given: Any) -> LlamaHubReader:
    if ":" not in reader:
        reader = f"{HERE}:{reader}"
    return LlamaHubReader(
        LlamaHubSource(name="wiki", reader=reader, **{"audience": ("public",), **given})
    )


def read(reader: str, **given: Any) -> list[Document]:
    return [one for one in source(reader, **given).read() if isinstance(one, Document)]


def test_arguments_secrets_and_metadata_reach_where_they_belong() -> None:
    found = read(
        "WikiReader",
        arguments={"token": SecretStr("hush"), "space": {"space": "Ops"}},
        load={"pages": 2, "title": "A  title"},
        audience=("group:hr",),
    )
    assert [(one.id, one.title, one.url) for one in found] == [
        ("wiki:page-0", "A title", "https://x.org/0"),
        ("wiki:page-1", "A title", "https://x.org/1"),
    ]
    assert {one.audience for one in found} == {Audience.of("group:hr")}
    assert found[0].text == "# Page 0\nText"


def test_without_a_title_the_first_heading_is_it() -> None:
    (found,) = read("WikiReader", arguments={"token": "hush"})
    assert found.title == "Page 0"


def test_a_reader_of_llama_index_itself_works(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.txt").write_text("Tea")
    (tmp_path / "b.txt").write_text("Coffee")
    caplog.set_level(logging.ERROR)
    folder = {"input_dir": str(tmp_path)}
    with pytest.raises(SourceError, match=r"ids that look random; set id_field .*file_path"):
        read(FOLDER_READER, arguments=folder)
    found = read(FOLDER_READER, arguments=folder, id_field="file_name")
    assert [(one.id, one.text) for one in found] == [
        ("wiki:a.txt", "Tea"),
        ("wiki:b.txt", "Coffee"),
    ]


def test_random_ids_are_taken_only_when_the_settings_say_they_last() -> None:
    with pytest.raises(SourceError, match="look random"):
        read("ForgetfulReader")
    assert len(read("ForgetfulReader", id_field="doc_id")) == 1
    assert [one.id for one in read("ForgetfulReader", id_field="path")] == ["wiki:a"]


@pytest.mark.parametrize(
    ("reader", "given", "sentence"),
    [
        ("llama_index.readers.google_docs:X", {}, "install llama-index-readers-google-docs"),
        ("no_such_module:X", {}, "install the package it comes from"),
        ("NoSuchReader", {}, "is not in its module"),
        ("WikiReader", {}, "fails .*token"),
        ("WikiReader", {"arguments": {"token": "wrong"}}, "fails .PermissionError: wrong token"),
        (
            "WikiReader",
            {"arguments": {"token": "hush"}, "load": {"pages": "x"}},
            "fails .TypeError",
        ),
        ("WikiReader", {"arguments": {"token": "hush"}, "load": {"pages": 0}}, "loads nothing"),
        ("os:system", {"arguments": {"command": "exit 3"}}, "no reader: it has no load_data"),
        ("pathlib:Path", {}, "no reader: it has no load_data"),
        ("os:sep", {}, "no reader: it has no load_data"),
        ("source", {"arguments": {"reader": "x"}}, "no reader: it has no load_data"),
        ("StrangeReader", {}, "gives str, not Document"),
        ("ForgetfulReader", {"id_field": "page"}, "without the metadata field page.*: path"),
    ],
)
def test_whatever_fails_is_a_sentence(reader: str, given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SourceError, match=rf"Source wiki: .*{sentence}"):
        read(reader, **given)
