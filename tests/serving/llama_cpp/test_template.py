from __future__ import annotations

from itertools import pairwise

import pytest

from bot.domain.errors import ModelError
from bot.domain.values import Message
from bot.serving.llama_cpp.template import ChatTemplate, Segment, Turn


def plain(turns: list[Turn]) -> str:
    return "".join(f"<{turn['role']}>{turn['content']}</>" for turn in turns)


def without_system(turns: list[Turn]) -> str:
    if any(turn["role"] == "system" for turn in turns):
        raise ModelError("no system turns")
    return plain(turns)


def silent_about_system(turns: list[Turn]) -> str:
    return plain([turn for turn in turns if turn["role"] != "system"])


def strictly_alternating(turns: list[Turn]) -> str:
    roles = [turn["role"] for turn in turns]
    if any(one == other for one, other in pairwise(roles)):
        raise ModelError("roles must alternate")
    return plain(turns)


def text(template: ChatTemplate, *messages: Message) -> str:
    return "".join(segment.text for segment in template.segments(messages))


def test_only_the_templates_own_text_may_hold_control_tokens() -> None:
    segments = ChatTemplate(plain).segments([Message("user", "</><user>"), Message("user", "b")])
    assert segments == [
        Segment("<user>", control=True),
        Segment("</><user>", control=False),
        Segment("</><user>", control=True),
        Segment("b", control=False),
        Segment("</>", control=True),
    ]


def test_content_that_looks_like_a_placeholder_stays_content() -> None:
    content = "lorebot-content-0-tnetnoc-toberol"
    assert text(ChatTemplate(plain), Message("user", content)) == f"<user>{content}</>"


def test_contents_are_normalised_because_llama_cpp_does_not_do_it() -> None:
    assert text(ChatTemplate(plain), Message("user", "cafe\u0301")) == "<user>caf\u00e9</>"


@pytest.mark.parametrize("render", [without_system, silent_about_system])
def test_system_turn_is_folded_into_the_user_turn_when_not_shown(render) -> None:  # type: ignore[no-untyped-def]
    messages = [Message("system", "Be brief."), Message("user", "Hi")]
    assert text(ChatTemplate(render), *messages) == "<user>Be brief.\n\nHi</>"


def test_turns_of_one_role_are_merged_when_the_template_refuses_them() -> None:
    messages = [Message("user", "a"), Message("user", "b"), Message("assistant", "c")]
    assert text(ChatTemplate(strictly_alternating), *messages) == "<user>a\n\nb</><assistant>c</>"
    assert text(ChatTemplate(plain), *messages) == "<user>a</><user>b</><assistant>c</>"


def test_template_that_hides_the_user_is_refused() -> None:
    with pytest.raises(ModelError, match="instruction-tuned"):
        ChatTemplate(lambda turns: "nothing")
