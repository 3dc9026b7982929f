"""Questions that lean on their thread, made to stand alone."""

from __future__ import annotations

from dataclasses import replace

from bot.answering.words import content_words, words
from bot.domain import prompts
from bot.domain.values import Message, Question
from bot.serving.model import Cancellation, LanguageModel, Sampling

_LEANING = frozenset(
    """it its that this those these they them their there then he him his she her same one ones
    else other another instead too also and or but so shorter longer again both former latter
    es das dies diese dieser sie ihn ihm dort dann auch und oder cela ça ils elles eux aussi et
    ou eso esto ellos también y o""".split()
)
_FEW_WORDS = 4
_QUESTION_TOKENS = 120
_MOST_CHARACTERS = 400


def standing_alone(
    question: Question, model: LanguageModel | None, cancellation: Cancellation | None = None
) -> Question:
    """The question without its thread: as it is, or rewritten where it leans on earlier turns.

    Raises ModelError.
    """
    if not leans_on_thread(question):
        return replace(question, history=())
    return condensed(question, model, cancellation) if model else joined(question)


def leans_on_thread(question: Question) -> bool:
    """Whether earlier turns are there, and words are missing or point to them."""
    if not question.history:
        return False
    spoken = words(question.text)
    return bool(_LEANING & set(spoken)) or len(content_words(question.text)) < _FEW_WORDS


def condensed(
    question: Question, model: LanguageModel, cancellation: Cancellation | None = None
) -> Question:
    """The question as it would be asked outside its thread (Lewis et al. 2020 call it rewriting).

    Of a long thread the newest turns that fit are read. Where the model writes nothing usable,
    the question is joined as in ``joined``. Raises ModelError.
    """
    fitting = question
    room = model.context_tokens - _QUESTION_TOKENS
    while fitting.history and model.count(prompts.condense_messages(fitting)) > room:
        fitting = replace(fitting, history=fitting.history[1:])
    sampling = Sampling(max_tokens=_QUESTION_TOKENS, stop=("\n",))
    written = "".join(
        model.stream(prompts.condense_messages(fitting), sampling, cancellation)
    ).strip()
    if not words(written) or len(written) > _MOST_CHARACTERS:
        return joined(question)
    return replace(question, text=written, history=())


def joined(question: Question) -> Question:
    """Without a model: the words of the last question before this one are searched for, too."""
    earlier = [turn for turn in question.history if turn.role == "user"]
    text = f"{_cut(earlier[-1])}\n{question.text}" if earlier else question.text
    return replace(question, text=text, history=())


def _cut(turn: Message) -> str:
    return turn.content[:_MOST_CHARACTERS]
