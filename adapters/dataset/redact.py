"""Secrets and personal data out of texts that are learned from.

Found are: credentials (detect-secrets' detectors, long random strings, private keys), e-mail
addresses, phone numbers (libphonenumber), IBANs and payment cards with valid check digits. NOT
found are names of people, postal addresses and dates of birth: what is private as a whole must
not be opted in, and a reviewer reads what is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from adapters.dataset.examples import Example, LabelledAnswer, Origin, PreferencePair
from adapters.errors import MissingPackage
from bot.domain.values import Message

Item = TypeVar("Item", Example, PreferencePair, LabelledAnswer)
Span = tuple[int, int, str]

_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL
)
_SLACK_TOKEN = re.compile(r"\bx(?:app|ox[a-z])-[\w.-]{8,}")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?\b")
_CARD = re.compile(r"(?<![\d.-])[3-6]\d{3}(?:[ -]?\d){9,15}(?![\d-])")
_ASSIGNED = re.compile(
    r"(?i)\b(?:pass(?:word|wd|phrase|code)?|secret|token|api[ _-]?key|access[ _-]?key|pin|kennwort|"
    r"passwort)\b[\"'`]?\s*(?:is|ist|[:=]+>?)\s*[\"'`]?([^\s\"'`,;]{4,})"
)
_RANDOM = re.compile(r"(?<![\w/+.-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{24,}(?![\w/+.-])")
_TURNS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_FEWEST_TURNS = 5  # from letters to digits and back; words and a date joined by hyphens have two
_AROUND = r"[^\s\"'`,;<>()\[\]|]*"
_NOT_SECRET = {"IPPublicDetector", "Base64HighEntropyString", "HexHighEntropyString"}
_NOT_SECRET |= {"KeywordDetector", "PrivateKeyDetector"}  # of our own above: they read prose, too


class Redactor:
    """Replaces what it finds by the name of its kind in brackets, such as ``[e-mail]``.

    Raises MissingPackage where the detectors are not installed. Redacting twice changes nothing.
    """

    def __init__(self, phone_region: str = "") -> None:
        """``phone_region`` is the country (``DE``) whose local phone numbers are found, too."""
        self._phone_region = phone_region or None
        self._detectors = _detectors()
        self._redacted: dict[str, str] = {}
        self.found: Counter[str] = Counter()

    def redact(self, text: str) -> str:
        """The text without secrets and personal data.

        ``found`` counts what was replaced, once for texts that come again.
        """
        if text not in self._redacted:
            self._redacted[text] = self._replaced(text)
        return self._redacted[text]

    def _replaced(self, text: str) -> str:
        pieces: list[str] = []
        end = 0
        for start, stop, kind in _disjoint(self._spans(text)):
            self.found[kind] += 1
            pieces += [text[end:start], f"[{kind}]"]
            end = stop
        return "".join((*pieces, text[end:]))

    def _spans(self, text: str) -> Iterator[Span]:
        yield from _matches(_PRIVATE_KEY, "secret", text)
        yield from _matches(_SLACK_TOKEN, "secret", text)
        yield from _matches(_EMAIL, "e-mail", text)
        yield from self._numbers(text)
        yield from self._phone_numbers(text)
        for match in _ASSIGNED.finditer(text):
            if _looks_chosen(match[1]):
                yield (*match.span(1), "secret")
        for match in _RANDOM.finditer(text):
            if len(_TURNS.findall(match[0])) >= _FEWEST_TURNS:
                yield (*match.span(), "secret")
        yield from self._credentials(text)

    def _numbers(self, text: str) -> Iterator[Span]:
        from stdnum import iban, luhn

        for match in _IBAN.finditer(text):
            if iban.is_valid(match[0]):
                yield (*match.span(), "IBAN")
        for match in _CARD.finditer(text):
            if luhn.is_valid(re.sub(r"[ -]", "", match[0])):
                yield (*match.span(), "card number")

    def _phone_numbers(self, text: str) -> Iterator[Span]:
        import phonenumbers

        for match in phonenumbers.PhoneNumberMatcher(text, self._phone_region):
            yield (match.start, match.end, "phone")

    def _credentials(self, text: str) -> Iterator[Span]:
        """A detector may tell a part of a secret only: the whole word around it goes."""
        for detect in self._detectors:
            for secret in {found for found in detect(text) if len(found) > 2}:
                word = re.compile(f"{_AROUND}{re.escape(secret)}{_AROUND}")
                yield from _matches(word, "secret", text)


def redacted(items: Iterable[Item], redactor: Redactor) -> list[Item]:
    """The same examples with every text redacted that a model or a reviewer will see."""
    return [_redacted(item, redactor) for item in items]


def _redacted(item: Item, redactor: Redactor) -> Item:
    messages = tuple(
        Message(message.role, redactor.redact(message.content)) for message in item.messages
    )
    origin = _origin(item.origin, redactor)
    if isinstance(item, PreferencePair):
        return replace(
            item,
            messages=messages,
            chosen=redactor.redact(item.chosen),
            rejected=redactor.redact(item.rejected),
            origin=origin,
        )
    completion = redactor.redact(item.completion)
    return replace(item, messages=messages, completion=completion, origin=origin)


def _origin(origin: Origin, redactor: Redactor) -> Origin:
    return replace(origin, question=redactor.redact(origin.question))


@cache
def _detectors() -> tuple[Callable[[str], Any], ...]:
    try:
        import phonenumbers  # noqa: F401
        import stdnum  # noqa: F401
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError as error:
        raise MissingPackage(
            f"Secrets and personal data cannot be looked for, {error.name} is missing: "
            "pip install 'lorebot[train]'"
        ) from error
    plugins: list[Any] = list(get_mapping_from_secret_type_to_class().values())
    return tuple(
        plugin().analyze_string for plugin in plugins if plugin.__name__ not in _NOT_SECRET
    )


def _matches(pattern: re.Pattern[str], kind: str, text: str) -> Iterator[Span]:
    return ((*match.span(), kind) for match in pattern.finditer(text))


def _disjoint(spans: Iterator[Span]) -> list[Span]:
    """Overlapping finds as one, under the name of the first."""
    joined: list[Span] = []
    for start, stop, kind in sorted(spans, key=lambda span: span[:2]):
        if joined and start < joined[-1][1]:
            first, end, named = joined[-1]
            joined[-1] = (first, max(end, stop), named)
        else:
            joined.append((start, stop, kind))
    return joined


def _looks_chosen(value: str) -> bool:
    """Whether a word after "password:" is one, rather than "at least 12 characters"."""
    value = value.rstrip(".!?)")
    mixed = any(map(str.isalpha, value)) and not value.isalpha()
    return value.isdecimal() or (mixed and len(value) >= 6 and not value.startswith(("http", "[")))
