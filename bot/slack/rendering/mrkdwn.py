"""Sanitizes text for Slack: no pings, no foreign links, nothing that Slack would act on."""

from __future__ import annotations

import re

_USER = re.compile(r"<@[UW][A-Z0-9]+(?:\|[^>]*)?>")
_CHANNEL = re.compile(r"<#[CG][A-Z0-9]+(?:\|([^>]*))?>")
_SPECIAL = re.compile(r"<!([a-z]+)[^>]*>")
_LABELLED = re.compile(r"<(?:https?|mailto):[^|>]+\|([^>]*)>")
_BARE = re.compile(r"<((?:https?|mailto):[^|>]+)>")

_LABEL_CHARACTERS = 150

_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
_MARKDOWN_LINK = re.compile(r"!?\[([^\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
# but [1][2] are two citations
_REFERENCE_LINK = re.compile(r"!?\[(?!\d{1,2}\]\[\d{1,2}\])([^\]]+)\]\[[^\]]*\]")
# addresses, mail addresses and bare domains: Slack makes links of them all
_ADDRESS = re.compile(
    r"(?i:\b(?:https?://|www\.|mailto:)[^\s<>`|]*[^\s<>`|.,;:!?)])"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b(?:[A-Za-z0-9][\w-]*\.)+(?:com|org|net|info|biz|dev|app|xyz|example|[a-z]{2})\b(?![\w(])"
    r"(?:/[^\s<>`|]*)?"
)


def plain_question(text: str) -> str:
    """What a person typed, as plain words: Slack's mentions and links undone."""
    text = _USER.sub(" ", text)
    text = _CHANNEL.sub(lambda match: f"#{match[1]}" if match[1] else " ", text)
    text = _SPECIAL.sub(" ", text)
    text = _LABELLED.sub(r"\1", text)
    text = _BARE.sub(r"\1", text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return " ".join(text.split())


def safe_markdown(text: str) -> str:
    """Model or document text for a Markdown block.

    Links become their labels and bare addresses code, which Slack does not link: only citations
    are links. ``<`` and ``>`` are escaped, so that ``<!channel>`` does not ping.
    """
    return _escape(_unlinked(text))


def safe_mrkdwn(text: str) -> str:
    """Model or document text for a mrkdwn field or a message's fallback text; links as above."""
    return _escape(_unlinked(text).replace("&", "&amp;"))


def safe_line(text: str, limit: int = 300) -> str:
    """Words of a person or a document on one line, of at most ``limit`` characters."""
    return cut(safe_mrkdwn(" ".join(text.split())), limit)


def link(url: str, label: str) -> str:
    """A mrkdwn link to one of our own citations; just the label where there is nothing to open."""
    label = _escape(_labels(label).replace("&", "&amp;")).replace("|", "¦")
    if not url.startswith(("https://", "http://")) or set(url) & set("<>| \n"):
        return f"*{label.replace('*', '')}*"
    return f"<{url}|{label}>"


def source_label(title: str) -> str:
    """A document's title where Slack makes the link itself."""
    return cut(" ".join(safe_mrkdwn(_labels(title)).replace("`", "").split()), _LABEL_CHARACTERS)


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, ending at a line's end where one is near."""
    if len(text) <= limit:
        return text
    head = text[: limit - 2]
    newline = head.rfind("\n")
    return f"{head[:newline] if newline > limit // 2 else head} …"


def cut_markdown(text: str, limit: int, notice: str = "") -> str:
    """As ``cut``, with the code that was cut closed again and a ``notice`` below."""
    if len(text) <= limit:
        return text
    head = cut(text, limit - len(notice) - 10)
    if is_inside_code(head):
        head += "\n```" if head.count("```") % 2 else "`"
    return f"{head}\n\n{notice}" if notice else head


def is_inside_code(text: str) -> bool:
    """Whether code that begins in a text does not end in it."""
    return "`" in _CODE.sub("", text)


def _unlinked(text: str) -> str:
    """Links as their labels, and addresses outside code as code."""
    parts = _CODE.split(text)
    parts[::2] = [_ADDRESS.sub(r"`\g<0>`", _labels(part)) for part in parts[::2]]
    return "".join(parts)


def _labels(text: str) -> str:
    return _REFERENCE_LINK.sub(r"\1", _MARKDOWN_LINK.sub(r"\1", text))


def _escape(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")
