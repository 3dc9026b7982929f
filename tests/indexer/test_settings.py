"""Sources in lorebot.toml: each kind by its name, every mistake a sentence."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from indexer.errors import IndexSettingsError
from indexer.index import open_sources
from indexer.settings import FilesSource, IndexSettings, LlamaHubSource, SlackSource, load
from indexer.sources.files import FilesSource as Files
from indexer.sources.llamahub import LlamaHubReader
from indexer.sources.slack_history import SlackHistory

ALL = """
[extraction]
seconds = 5

[[sources]]
name = "docs"
path = "docs"
audience = "public"
[sources.audiences]
"leads/**" = "slack_channel:C1"
"**/hr/*" = ["group:hr", "group:leads"]

[[sources]]
kind = "slack"
name = "chat"
reread_days = 30

[[sources]]
kind = "llamahub"
name = "wiki"
reader = "llama_index.readers.notion:NotionPageReader"
arguments = { integration_token = { env = "NOTION_TOKEN" }, deep = [{ env = "NOTION_TOKEN" }] }
load = { page_ids = ["a"] }
audience = ["group:all"]
"""


def loaded(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> IndexSettings:
    (folder / "lorebot.toml").write_text(text)
    monkeypatch.setenv("LOREBOT_CONFIG", str(folder / "lorebot.toml"))
    return load(IndexSettings)


def test_every_kind_of_source_is_read_and_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTION_TOKEN", "hush")
    monkeypatch.setenv("LOREBOT_SLACK_BOT_TOKEN", "xoxb")
    settings = loaded(ALL, tmp_path, monkeypatch)
    files, slack, hub = settings.sources
    assert isinstance(files, FilesSource)
    assert list(files.audiences.items()) == [
        ("leads/**", ("slack_channel:C1",)),
        ("**/hr/*", ("group:hr", "group:leads")),
    ]
    assert isinstance(slack, SlackSource)
    assert slack.token.get_secret_value() == "xoxb"
    assert isinstance(hub, LlamaHubSource)
    assert hub.arguments == {
        "integration_token": SecretStr("hush"),
        "deep": [SecretStr("hush")],
    }
    assert "hush" not in repr(settings)
    assert "xoxb" not in repr(settings)
    kinds = [type(source) for source in open_sources(settings)]
    assert kinds == [Files, SlackHistory, LlamaHubReader]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ('kind = "dropbox"', "'dropbox'"),
        ('path = "x"\naudiences = { "a/**" = "everybody" }', "Unknown audience 'everybody'"),
        ('path = "x"\naudiences = { "a/**" = [] }', "name who may read it"),
        ('kind = "slack"\nchannels = ["help"]', "channels"),
        ('kind = "slack"\ntoken = { env = "NOT_SET" }', "NOT_SET is not set in the environment"),
        ('kind = "llamahub"\nreader = "a.b:C"', "audience: Field required"),
        ('kind = "llamahub"\nreader = "a.b.C"\naudience = "public"', "reader"),
        (
            'kind = "llamahub"\nreader = "a.b:C"\naudience = "public"\n'
            'arguments = { key = { env = "NOT_SET" } }',
            "NOT_SET is not set",
        ),
    ],
)
def test_a_wrong_source_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, sentence: str
) -> None:
    with pytest.raises(IndexSettingsError, match=sentence):
        loaded(f'[[sources]]\nname = "one"\n{source}\n', tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[index]\ndense_wait = 1", r"index.dense_wait: .* did you mean dense_weight\?"),
        ("[store]\nqqqq = 1", "store.qqqq: there is no such setting; here are api_key, collect"),
        ('[[sources]]\nname = "a"\npth = "x"', r"pth: .* did you mean path\?"),
        ('[[sources]]\nkind = "slack"\nname = "a"\nchanels = []', r"did you mean channels\?"),
        ('[[sources]]\nkind = "slack"\nname = "a"\npath = "x"', "here are api_url, channels"),
        (
            '[[index.retrievers]]\nname = "a"\naudience = "public"\nclas = "a:B"',
            r"clas: .* did you mean class\?",
        ),
        ('[[index.postprocessors]]\nclass = "a:B"\nargument = {}', r"did you mean arguments\?"),
        ("[extraction]\nSeconds = 1", r"did you mean seconds\?"),
    ],
)
def test_of_a_misspelt_key_the_nearest_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, sentence: str
) -> None:
    with pytest.raises(IndexSettingsError, match=sentence) as told:
        loaded(text, tmp_path, monkeypatch)
    assert "Extra inputs" not in str(told.value)
