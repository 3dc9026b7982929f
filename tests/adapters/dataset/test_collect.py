"""What may be learned from, and why the rest may not: each rule on records of its own."""

from collections.abc import Callable

import pytest

from adapters.dataset.collect import Collected, LeftOut, collect
from adapters.dataset.examples import Source
from adapters.dataset.exchanges import REFUSAL
from adapters.settings import DatasetTable
from bot.domain.values import CorrectionKind, Ending, Reason, Thumb
from bot.records.database import Database
from bot.records.feedback import Feedback
from tests.adapters.team import OPEN, PAGES, Team, page

ASKS = "What may supper cost in Lisbon?"
WRONG = "It costs 99 EUR [1]."


@pytest.fixture
def team(database: Database) -> Team:
    return Team(database)


def collected(team: Team, table: DatasetTable = OPEN) -> Collected:
    return collect(Feedback(team.database).judged(), team.documents, table)


def reason(team: Team, table: DatasetTable = OPEN) -> LeftOut:
    """The one reason for which the one answer was left out."""
    found = collected(team, table)
    assert found.judged == []
    ((why, count),) = found.left_out.items()
    assert count == 1
    return why


def answered_wrongly(team: Team) -> str:
    answer_id = team.answered(ASKS, WRONG, [page("hotel")], others=[page("meals"), page("vpn")])
    team.vote(answer_id, Thumb.DOWN)
    return answer_id


def test_an_answer_that_was_thanked_for_is_good_as_it_is(team: Team) -> None:
    team.thanked("meals")
    (exchange,) = collected(team).judged
    assert exchange.good
    assert exchange.good.text == f"{PAGES['meals']} [1]"
    assert (exchange.bad, exchange.source, exchange.people) == (None, Source.VOTE, 1)


def test_a_thanked_refusal_is_a_refusal_worth_learning(team: Team) -> None:
    team.vote(team.answered("Who waters plants?", others=[page("vpn")]), Thumb.UP)
    (exchange,) = collected(team).judged
    assert exchange.good == REFUSAL
    assert [passage.title for passage in exchange.seen] == ["Vpn"]


def test_a_thumb_down_alone_says_only_what_is_bad(team: Team) -> None:
    answered_wrongly(team)
    (exchange,) = collected(team).judged
    assert exchange.good is None
    assert exchange.bad
    assert exchange.bad.text == WRONG


def test_a_correction_is_cited_and_stands_over_the_original(team: Team) -> None:
    answer_id = answered_wrongly(team)
    team.correct(answer_id, "No, that is nonsense! Meals are paid up to 45 EUR.")
    (exchange,) = collected(team).judged
    assert exchange.good
    assert exchange.good.text == "Meals are paid up to 45 EUR. [1]"
    assert [passage.title for passage in exchange.good.passages] == ["Meals"]
    assert exchange.bad
    assert exchange.bad.text == WRONG
    assert exchange.source is Source.CORRECTION


def test_the_reply_of_a_person_who_was_asked_wins_over_other_corrections(team: Team) -> None:
    answer_id = team.answered(ASKS, others=[page("meals")])
    team.correct(answer_id, "Up to 45 EUR a day.", author="U2", kind=CorrectionKind.ESCALATION)
    team.correct(answer_id, "Meals are paid.", author="U3")
    (exchange,) = collected(team).judged
    assert exchange.source is Source.ESCALATION
    assert exchange.good
    assert exchange.good.plain == "Up to 45 EUR a day."
    assert exchange.bad == REFUSAL


def test_what_nobody_judged_is_kept_apart(team: Team) -> None:
    team.answered(ASKS, f"{PAGES['meals']} [1]", [page("meals")])
    found = collected(team)
    assert found.judged == []
    assert [(one.source, one.people) for one in found.unjudged] == [(Source.RLAIF, 0)]
    assert found.left_out == {LeftOut.NOT_JUDGED: 1}


def test_as_many_thumbs_up_as_down_say_nothing(team: Team) -> None:
    team.vote(answered_wrongly(team), Thumb.UP, "U2")
    assert reason(team) is LeftOut.PEOPLE_DISAGREE


def without_citation(team: Team) -> None:
    team.vote(team.answered(ASKS, others=[page("vpn")]), Thumb.DOWN)


def not_found(team: Team) -> None:
    team.correct(answered_wrongly(team), reason=Reason.NOT_FOUND)


def not_found_with_an_answer(team: Team) -> None:
    team.correct(answered_wrongly(team), PAGES["meals"], reason=Reason.NOT_FOUND)


def not_in_passages(team: Team) -> None:
    team.correct(answered_wrongly(team), "Ask Bob on Thursday 17 May.")


def without_consent(team: Team) -> None:
    team.correct(answered_wrongly(team), PAGES["meals"], may_learn=False)


def outdated(team: Team) -> None:
    team.correct(answered_wrongly(team), reason=Reason.OUTDATED)


def not_for_me(team: Team) -> None:
    team.correct(answered_wrongly(team), reason=Reason.NOT_FOR_ME)


def stopped(team: Team) -> None:
    answer_id = team.answered(ASKS, "Meals", [page("meals")], ending=Ending.STOPPED)
    team.vote(answer_id, Thumb.DOWN)


def help_that_names_sources(team: Team) -> None:
    told = "I answer from **board-papers**. You could ask about “Layoffs”."
    asked = "What can you help me with?"
    team.vote(team.answered(asked, told, ending=Ending.SMALL_TALK), Thumb.UP)


def bad_small_talk(team: Team) -> None:
    team.vote(team.answered("hello", "Hello!", ending=Ending.SMALL_TALK), Thumb.DOWN)


def refused_without_passages(team: Team) -> None:
    team.vote(team.answered(ASKS), Thumb.UP)


def asked_elsewhere(team: Team) -> None:
    team.thanked("meals", channel="C0OTHER")


def asked_directly(team: Team) -> None:
    team.thanked("meals", channel="D1")


def page_that_others_read_too(team: Team) -> None:
    team.thanked("meals")
    team.index(page("meals", "slack_channel:C0HELP", "slack_channel:C0LEADS"))


def page_gone(team: Team) -> None:
    team.thanked("meals")
    team.documents.clear()


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        (without_citation, LeftOut.RETRIEVAL_FAILED),
        (not_found, LeftOut.RETRIEVAL_FAILED),
        (not_found_with_an_answer, LeftOut.RETRIEVAL_FAILED),
        (not_in_passages, LeftOut.NOT_IN_PASSAGES),
        (without_consent, LeftOut.NO_CONSENT),
        (outdated, LeftOut.OUTDATED),
        (not_for_me, LeftOut.NOT_FOR_ME),
        (stopped, LeftOut.STOPPED),
        (bad_small_talk, LeftOut.SMALL_TALK),
        (help_that_names_sources, LeftOut.SMALL_TALK),
        (refused_without_passages, LeftOut.NOTHING_SHOWN),
        (asked_elsewhere, LeftOut.NOT_OPTED_IN),
        (asked_directly, LeftOut.NOT_OPTED_IN),
        (page_that_others_read_too, LeftOut.PRIVATE),
        (page_gone, LeftOut.DELETED),
    ],
)
def test_what_teaches_nothing_is_left_out_and_counted(
    team: Team, happened: Callable[[Team], None], why: LeftOut
) -> None:
    happened(team)
    assert reason(team) is why


def test_nothing_is_learned_anywhere_until_somebody_opts_in(team: Team) -> None:
    team.thanked("meals")
    assert reason(team, DatasetTable()) is LeftOut.NOT_OPTED_IN


def test_direct_messages_are_opened_by_the_person_who_wrote_them(team: Team) -> None:
    team.thanked("meals", channel="D1", asker="U1")
    team.thanked("hotel", channel="D2", asker="U2")
    found = collected(team, DatasetTable(opted_in=["slack_user:U1"]))
    assert [exchange.question.asker for exchange in found.judged] == ["U1"]


def test_consent_to_learn_from_a_correction_opens_that_one_exchange(team: Team) -> None:
    answer_id = answered_wrongly(team)
    team.thanked("hotel")
    team.correct(answer_id, PAGES["meals"])
    (exchange,) = collected(team, DatasetTable()).judged
    assert exchange.question.text == ASKS


def test_consent_to_a_correction_opens_no_private_page(team: Team) -> None:
    secret = page("meals", "slack_channel:C0HELP")
    answer_id = team.answered(ASKS, WRONG, [page("hotel")], others=[secret])
    team.correct(answer_id, PAGES["meals"])
    assert reason(team, DatasetTable()) is LeftOut.NOT_IN_PASSAGES
    assert collected(team, OPEN).judged


def test_a_page_whose_readers_became_fewer_is_judged_by_those_of_now(team: Team) -> None:
    team.thanked("meals")
    team.index(page("meals", "slack_channel:C0LEADS"))
    assert reason(team) is LeftOut.DELETED


def test_a_follow_up_is_learned_as_it_was_understood(team: Team) -> None:
    answer_id = team.answered(
        "And in Lisbon?", f"{PAGES['meals']} [1]", [page("meals")], searched=ASKS
    )
    team.vote(answer_id, Thumb.UP)
    (exchange,) = collected(team).judged
    assert exchange.question.text == ASKS


def test_what_the_bot_believed_to_answer_is_never_shown_as_a_distractor(team: Team) -> None:
    believed, other = page("vpn"), page("badge")
    answer_id = team.answered(
        ASKS,
        f"{PAGES['meals']} [1]",
        [page("meals")],
        others=[believed, other],
        believed=[believed],
    )
    team.vote(answer_id, Thumb.UP)
    (exchange,) = collected(team).judged
    assert exchange.seen == (other,)
