"""The records' address: read without a traceback, shown without its secrets.

What stands in a wrong place of an address may be a piece of its password: no sentence quotes it.
"""

from __future__ import annotations

import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_FORM = "write postgresql+psycopg://USER@HOST:5432/DATABASE"
_ESCAPED = "in a name or password @ is written %40, : %3A, / %2F, ? %3F, [ %5B"
_PASSWORD = "password"
_QUERY = re.compile(r"(\w+=[^&]*(&\w+=[^&]*)*)?")
_PATIENCE = {  # in libpq's own words, and in seconds but where it wants milliseconds
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def parsed(url: str) -> URL:
    """Raises ValueError, a sentence, where it is none or a character of it is not escaped."""
    try:
        address = make_url(url)
    except ArgumentError:
        raise ValueError(f"It is no address of a database: {_FORM}.") from None
    except ValueError:
        raise ValueError(f"Its host or port is wrong: {_FORM}; {_ESCAPED}.") from None
    if address.port is not None and not 0 < address.port < 65_536:
        raise ValueError(f"Its port is none: {_FORM}.")
    place, _, query = url.partition("://")[2].partition("?")
    unescaped = place.partition(":")[2].count("@") > 1 or not _QUERY.fullmatch(query)
    if address.password is not None and unescaped:
        raise ValueError(f"It holds an @ that is not escaped: {_ESCAPED}.")
    return address


def shown(address: URL) -> str:
    """For people: without password, and without the query, which may hold one, too."""
    return without_password(address).set(query={}).render_as_string()


def without_password(address: URL) -> URL:
    """``URL.set`` takes None for "as it is"."""
    return URL.create(
        address.drivername,
        username=address.username,
        host=address.host,
        port=address.port,
        database=address.database,
        query={key: value for key, value in address.query.items() if key != _PASSWORD},
    )


def password_of(address: URL) -> str:
    """Wherever it stands; the query's wins, as it does with the driver. "" where there is none."""
    given = address.query.get(_PASSWORD, address.password) or ""
    return given if isinstance(given, str) else given[-1]


def connect_args(address: URL) -> dict[str, int]:
    """How long Postgres is waited for; what the address itself says about that wins.

    libpq waits for two minutes to be answered, and for ever where a connection was cut silently.
    """
    if address.get_backend_name() != "postgresql" or "psycopg" not in address.get_driver_name():
        return {}
    if "service" in address.query:
        return {}  # its file says all that
    return {key: value for key, value in _PATIENCE.items() if key not in address.query}
