"""OAuth's consent page, on which a person installs the app into a workspace."""

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlsplit

from aiohttp import web

from bot.workspace.errors import WorkspaceError
from bot.workspace.state.workspace_state import WorkspaceState
from bot.workspace.web_api.oauth import OAuth, Request

AUTHORIZE, DECIDE = "/oauth/v2/authorize", "/oauth/v2/decide"
FIELDS = ("client_id", "scope", "redirect_uri", "state")


class Consent:
    """GET /oauth/v2/authorize asks; the form posts the decision."""

    def __init__(self, oauth: OAuth, teams: Mapping[str, WorkspaceState]) -> None:
        self._oauth = oauth
        self._teams = teams

    async def ask(self, request: web.Request) -> web.Response:
        try:
            wanted = self._oauth.request(request.query)
        except WorkspaceError as error:
            return _page(f"<h1>This cannot be installed</h1><p>{escape(str(error))}</p>", 400)
        return _page(self._form(wanted, request.query), redirect=wanted.redirect_url)

    async def decide(self, request: web.Request) -> web.Response:
        fields = {name: str(value) for name, value in (await request.post()).items()}
        try:
            wanted = self._oauth.request(fields)
            if fields.get("decision") == "allow":
                team_id, _, user_id = fields.get("installer", "").partition("/")
                location = self._oauth.allow(wanted, team_id, user_id)
            else:
                location = self._oauth.deny(wanted)
        except WorkspaceError as error:
            return _page(f"<h1>This cannot be installed</h1><p>{escape(str(error))}</p>", 400)
        return web.Response(status=302, headers={"Location": location})

    def _form(self, wanted: Request, query: Mapping[str, str]) -> str:
        name = next(iter(self._teams.values())).bot.display_name
        hidden = "".join(
            f'<input type="hidden" name="{escape(field)}" value="{escape(value)}">'
            for field, value in query.items()
            if field in FIELDS
        )
        scopes = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in wanted.scopes)
        return _FORM.format(
            name=escape(name),
            action=DECIDE,
            hidden=hidden,
            options="".join(self._options()),
            scopes=scopes,
        )

    def _options(self) -> Iterable[str]:
        for team in self._teams.values():
            for person in team.people:
                if not person.is_bot and not person.is_guest and not person.team_id:
                    label = escape(f"{team.team_name}, as {person.display_name}")
                    yield f'<option value="{team.team_id}/{person.id}">{label}</option>'


def _page(body: str, status: int = 200, redirect: str = "") -> web.Response:
    parts = urlsplit(redirect)
    # Browsers hold a form's redirects to its form-action, too.
    target = f" {parts.scheme}://{parts.netloc}" if redirect else ""
    policy = f"default-src 'none'; style-src 'self'; img-src data:; form-action 'self'{target}"
    return web.Response(
        text=_PAGE.format(body=body),
        status=status,
        content_type="text/html",
        headers={"Content-Security-Policy": policy},
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Install an app</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/page/style.css"><link rel="stylesheet" href="/page/forms.css">
<link rel="stylesheet" href="/page/consent.css">
</head><body class="consent"><main>{body}</main></body></html>
"""

_FORM = """<h1>{name} would like to join a workspace</h1>
<form method="post" action="{action}">{hidden}
<label class="label" for="installer">Install into</label>
<select class="field" id="installer" name="installer">{options}</select>
<h2>It will be able to use</h2><ul>{scopes}</ul>
<div class="consent-actions">
<button class="button" name="decision" value="cancel">Cancel</button>
<button class="button primary" name="decision" value="allow">Allow</button>
</div></form>
"""
