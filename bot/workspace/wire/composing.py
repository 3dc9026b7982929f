"""What a person types, turned into the text Slack stores and sends to bots."""

import re

from bot.workspace.state.workspace_state import WorkspaceState

_CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
_URL = re.compile(r"https?://[^\s<>]+[^\s<>.,;:!?)\]'\"]")
_MENTION = re.compile(r"<([@#])([A-Z0-9]+)>")


def wire_text(state: WorkspaceState, typed: str) -> str:
    """Escapes `&`, `<` and `>`, and writes mentions and links as Slack does.

    "@Lorebot" becomes "<@U0LOREBOT>", "#help" "<#C0HELP>" and an address "<https://…>",
    except in code.
    """
    pieces = _CODE.split(typed.strip())
    # split() alternates text and code, because the pattern is one group.
    return "".join(
        _escaped(piece) if index % 2 else linked_text(state, _escaped(piece))
        for index, piece in enumerate(pieces)
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def command_text(state: WorkspaceState, typed: str) -> str:
    """What an escaped slash command gets: mentions carry the name too, "<@U0BOB|bob>"."""

    def with_name(match: re.Match[str]) -> str:
        sign, id_ = match.groups()
        name = state.person(id_).name if sign == "@" else state.channel(id_).name
        return f"<{sign}{id_}|{name}>"

    return _MENTION.sub(with_name, wire_text(state, typed))


def linked_text(state: WorkspaceState, text: str) -> str:
    """Text with its names and addresses in Slack's wire form."""
    text = _URL.sub(lambda match: f"<{match.group()}>", text)
    for special in ("channel", "here", "everyone"):
        text = _named(text, "@", special, f"<!{special}>")
    for person in sorted(state.people, key=lambda each: -len(each.display_name)):
        for name in {person.display_name, person.name}:
            text = _named(text, "@", name, f"<@{person.id}>")
    for channel in state.channels:
        if channel.kind == "channel":
            text = _named(text, "#", channel.name, f"<#{channel.id}>")
    return text


def _named(text: str, sign: str, name: str, wire: str) -> str:
    # Not inside "<…>", a word or an address: me@help.example, <https://…/#help>.
    pattern = rf"(?<![\w/<.]){sign}{re.escape(name)}(?![\w-])(?![^<]*>)"
    return re.sub(pattern, lambda _: wire, text, flags=re.IGNORECASE)
