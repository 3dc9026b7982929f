"""Postprocessors and retrievers that the settings name work, and can show nothing to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.documents import Audience, Passage
from indexer.errors import ComponentError, IndexSettingsError
from indexer.index import Index, open_index
from indexer.settings import FilesSource, FusedRetriever, IndexSettings, IndexTable, NamedClass
from tests.indexer.retrieval.foreign import Hoarding, Wiki

PUBLIC = Audience.of("public")
FINANCE = Audience.of("public", "group:finance")
HERE = "tests.indexer.retrieval.foreign"
SALARIES = "What are the salaries of the board?"

OpenWith = Callable[..., Index]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """An index of three pages, one of them for finance alone."""
    folder, data = tmp_path_factory.mktemp("pages"), tmp_path_factory.mktemp("data")
    (folder / "leave.md").write_text("# Leave\n\nA sabbatical takes six weeks.\n")
    (folder / "lunch.md").write_text("# Lunch\n\nSoup is served at noon.\n")
    (folder / "pay.md").write_text(
        "---\naudience: group:finance\n---\n# Pay\n\nSalaries of the board: 1 million.\n"
    )
    source = FilesSource(name="docs", path=folder, audience=("public",))
    with open_index(IndexSettings(data_dir=data, cache_dir=cache_dir, sources=(source,))) as index:
        index.sync()
    return data


@pytest.fixture
def open_with(data_dir: Path, cache_dir: Path) -> Iterator[OpenWith]:
    opened: list[Index] = []

    def open_it(**table: Any) -> Index:
        settings = IndexSettings(
            data_dir=data_dir, cache_dir=cache_dir, index=IndexTable.model_validate(table)
        )
        opened.append(open_index(settings))
        return opened[-1]

    yield open_it
    for index in opened:
        index.close()


def named(name: str, **arguments: object) -> NamedClass:
    return NamedClass.model_validate({"class": f"{HERE}:{name}", "arguments": arguments})


def wiki(
    pages: list[str],
    audiences: list[object] | None = None,
    *,
    audience: str = "public",
    weight: float = 0.5,
) -> FusedRetriever:
    return FusedRetriever.model_validate(
        {
            "class": f"{HERE}:Wiki",
            "arguments": {"pages": pages, "audiences": audiences},
            "name": "wiki",
            "audience": audience,
            "weight": weight,
        }
    )


def titles(found: list[Passage]) -> list[str]:
    return [passage.title for passage in found]


class TestPostprocessors:
    def test_score_order_and_selection_are_theirs(self, open_with: OpenWith) -> None:
        plain = open_with().retriever(PUBLIC).passages("sabbatical")
        index = open_with(postprocessors=[named("Backwards")])
        turned = index.retriever(PUBLIC).passages("sabbatical")
        assert titles(turned) == titles(plain)[::-1]
        assert [passage.score for passage in turned] == [1.0, 0.0]
        (_, why), _ = index.retriever(PUBLIC).explained("sabbatical")
        assert (why.fused, why.reranked) == (0.0, 1.0)
        index = open_with(postprocessors=[named("Backwards", top_n=1)])
        assert len(index.retriever(PUBLIC).passages("sabbatical")) == 1

    def test_they_follow_each_other(self, open_with: OpenWith) -> None:
        twice = [named("Backwards"), named("Backwards")]
        found = open_with(postprocessors=twice).retriever(PUBLIC).passages("sabbatical")
        assert titles(found) == titles(open_with().retriever(PUBLIC).passages("sabbatical"))

    def test_one_that_comes_with_llamaindex_works(self, open_with: OpenWith) -> None:
        cut = {
            "class": "llama_index.core.postprocessor:SimilarityPostprocessor",
            "arguments": {"similarity_cutoff": 0.9},
        }
        found = open_with(postprocessors=[cut]).retriever(PUBLIC).passages("sabbatical")
        assert titles(found) == ["Leave"]

    def test_what_was_seen_for_one_audience_is_not_shown_to_another(
        self, open_with: OpenWith, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither an earlier reader's node, nor an invented one, nor a changed audience."""
        Hoarding.seen.clear()
        index = open_with(postprocessors=[named("Hoarding")])
        private = index.retriever(FINANCE).passages(SALARIES)
        assert "Pay" in titles(private)
        public = index.retriever(PUBLIC).passages(SALARIES)
        assert sorted(titles(public)) == ["Leave", "Lunch"]
        assert all(passage.audience == PUBLIC for passage in public)
        assert "returned" in caplog.text
        assert "it was not given" in caplog.text
        assert "million" not in caplog.text

    def test_other_words_are_refused(self, open_with: OpenWith) -> None:
        retriever = open_with(postprocessors=[named("Rewriting")]).retriever(PUBLIC)
        with pytest.raises(ComponentError, match="Rewriting changes what passages say"):
            retriever.passages("sabbatical")

    def test_a_failure_is_told_without_what_it_quotes(self, open_with: OpenWith) -> None:
        retriever = open_with(postprocessors=[named("Failing")]).retriever(PUBLIC)
        with pytest.raises(ComponentError, match="Failing failed with ValueError") as caught:
            retriever.passages("sabbatical")
        assert "six weeks" not in str(caught.value)


class TestRetrievers:
    def test_finds_join_those_of_the_index(self, open_with: OpenWith) -> None:
        index = open_with(retrievers=[wiki(["A sabbatical is unpaid.", "Unrelated."])])
        found = index.retriever(PUBLIC).passages("sabbatical")
        assert titles(found)[:2] == ["Leave", "Wiki 0"]
        best = found[1]
        assert best.score == 0.5
        assert best.url == "https://wiki.example/0"
        assert 0.3 < best.similarity <= 1.0

    def test_those_whom_the_settings_do_not_admit_get_none_and_ask_nothing(
        self, open_with: OpenWith
    ) -> None:
        Wiki.asked.clear()
        index = open_with(retrievers=[wiki(["Bonus: 9,000."], audience="group:finance")])
        assert "Wiki 0" not in titles(index.retriever(PUBLIC).passages("bonus"))
        assert Wiki.asked == []
        assert "Wiki 0" in titles(index.retriever(FINANCE).passages("bonus"))

    def test_a_node_can_narrow_its_audience_and_never_widen_it(self, open_with: OpenWith) -> None:
        narrow = wiki(["Bonus: 9,000.", "Bonus."], ["group:finance", None])
        index = open_with(retrievers=[narrow])
        assert "Wiki 0" not in titles(index.retriever(PUBLIC).passages("bonus"))
        assert "Wiki 1" in titles(index.retriever(PUBLIC).passages("bonus"))
        assert "Wiki 0" in titles(index.retriever(FINANCE).passages("bonus"))
        wide = wiki(["Bonus: 9,000."], ["public"], audience="group:finance")
        assert "Wiki 0" not in titles(open_with(retrievers=[wide]).retriever(PUBLIC).passages("x"))

    @pytest.mark.parametrize("unknown", ["everyone", 7, {"group": 1}])
    def test_a_node_of_an_unknown_audience_is_shown_to_no_reader(
        self, open_with: OpenWith, unknown: object
    ) -> None:
        index = open_with(retrievers=[wiki(["Bonus: 9,000."], [unknown])])
        assert "Wiki 0" not in titles(index.retriever(FINANCE).passages("bonus"))

    def test_a_channel_that_chose_other_sources_is_not_searched_for(
        self, open_with: OpenWith
    ) -> None:
        index = open_with(retrievers=[wiki(["A sabbatical is unpaid."])])
        assert titles(index.retriever(PUBLIC, ["wiki"]).passages("sabbatical")) == ["Wiki 0"]
        assert "Wiki 0" not in titles(index.retriever(PUBLIC, ["docs"]).passages("sabbatical"))


class TestSettings:
    def test_a_class_that_is_not_installed_is_named_with_its_package(
        self, open_with: OpenWith
    ) -> None:
        name = {"class": "llama_index.postprocessor.tei_rerank_x:TextEmbeddingInference"}
        with pytest.raises(IndexSettingsError, match="llama-index-postprocessor-tei-rerank-x"):
            open_with(postprocessors=[name])

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"class": f"{HERE}:Missing"}, "correct the name after the :"),
            ({"class": f"{HERE}:Wiki.of_one", "arguments": {"page": "x"}}, "is no BaseNodePost"),
            ({"class": f"{HERE}:Backwards", "arguments": {"top_n": "many"}}, "correct its argum"),
        ],
    )
    def test_a_wrong_class_is_refused_when_the_index_is_opened(
        self, open_with: OpenWith, given: dict[str, object], words: str
    ) -> None:
        with pytest.raises(IndexSettingsError, match=words):
            open_with(postprocessors=[given])

    def test_a_classmethod_may_make_it(self, open_with: OpenWith) -> None:
        table = {
            "class": f"{HERE}:Wiki.of_one",
            "arguments": {"page": "A sabbatical is unpaid."},
            "name": "wiki",
            "audience": "public",
        }
        found = open_with(retrievers=[table]).retriever(PUBLIC).passages("sabbatical")
        assert "Wiki 0" in titles(found)

    def test_secrets_are_handed_over_and_in_no_error(
        self, open_with: OpenWith, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TOP", "secret-word")
        wrong = {"class": f"{HERE}:Backwards", "arguments": {"top_n": {"env": "TOP"}}}
        with pytest.raises(IndexSettingsError) as caught:
            open_with(postprocessors=[wrong])
        assert "secret-word" not in str(caught.value)

    def test_an_argument_may_be_an_object_of_its_own(self, open_with: OpenWith) -> None:
        llm = {"class": "llama_index.core.llms.mock:MockLLM", "arguments": {"max_tokens": 5}}
        rerank = {
            "class": "llama_index.core.postprocessor:LLMRerank",
            "arguments": {"llm": llm, "top_n": 1},
        }
        index = open_with(postprocessors=[rerank])
        assert index.retriever(PUBLIC)

    def test_the_settings_file_names_them(
        self, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_dir: Path
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("lorebot.toml").write_text(
            f'data_dir = "{data_dir}"\ncache_dir = "{cache_dir}"\n'
            f'[[index.postprocessors]]\nclass = "{HERE}:Backwards"\narguments = {{top_n = 1}}\n'
        )
        with open_index(IndexSettings()) as index:
            assert len(index.retriever(PUBLIC).passages("sabbatical")) == 1
