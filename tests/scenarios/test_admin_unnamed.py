"""What an admin may not read is told in counts: in status, sources, home, reindex and feedback."""

from pathlib import Path

from bot.domain.settings import Settings
from bot.workspace import Workspace
from indexer.index import open_index
from indexer.settings import FilesSource
from tests.scenarios.conftest import ALICE, ask, connected, lorebot, shown, vote
from tests.scenarios.test_admin_reindex import reported

SECRET = "Layoffs in March"


def test_what_cannot_be_read_is_counted_and_not_named(
    workspace: Workspace, settings: Settings, tmp_path: Path
) -> None:
    pages = tmp_path / "pages"
    (pages / "board").mkdir(parents=True)
    (pages / "food.md").write_text("# Food\n\nThe canteen opens at noon.\n")
    (pages / "board" / f"{SECRET}.md").write_bytes(b"# Secret\n\n\xff\xfe\x00 not text\n")
    source = FilesSource(name="pages", path=pages, audience=("public",))
    own = settings.model_copy(update={"sources": (source,)})
    with open_index(own) as index:
        index.sync()
        assert SECRET in str(index.journal.read()["pages"].unreadable)
        with connected(own, index, workspace):
            told = [lorebot(workspace, text) for text in ("status", "sources")]
            assert "1 unreadable" in shown(told[0])
            assert "1 unreadable" in shown(told[1])
            assert "names them" in shown(told[1])
            workspace.open_home(ALICE)
            told.append(workspace.wait_for(lambda: workspace.home(ALICE)))
            lorebot(workspace, "reindex all --dry-run")
            told.append(reported(workspace, "Dry run", "1 unreadable"))
            lorebot(workspace, "reindex source pages")
            told.append(reported(workspace, "Read again", "1 unreadable"))
            answer = ask(workspace, "When does the canteen open?")
            vote(workspace, ALICE, answer, "down")
            assert "Food" in shown(lorebot(workspace, "feedback"))
            (pages / "food.md").write_text(
                "---\naudience: slack_channel:C0LEADS\n---\n# Food\n\nThe canteen opens at noon.\n"
            )
            index.sync()
            told.append(lorebot(workspace, "feedback"))
            assert "Food" not in shown(told[-1])
            assert not [one for one in told if "Layoffs" in shown(one)]
            assert "Layoffs" not in str(workspace.messages("D0ALICE"))
