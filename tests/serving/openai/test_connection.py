"""Every error of the HTTP library has a sentence of ours."""

from __future__ import annotations

import ssl

import anyio
import httpx2
import pytest

from bot.domain.errors import ModelBusy, ModelUnreachable
from bot.serving.openai.connection import Connection, RequestPolicy


def all_of(kind: type[httpx2.RequestError]) -> list[type[httpx2.RequestError]]:
    return [kind, *(deeper for below in kind.__subclasses__() for deeper in all_of(below))]


@pytest.mark.parametrize("kind", all_of(httpx2.RequestError))
def test_every_error_of_a_request_is_a_sentence_without_the_key(
    kind: type[httpx2.RequestError],
) -> None:
    connection = Connection("http://127.0.0.1:1", "sk-secret", RequestPolicy())
    error = connection._failure(kind("Illegal header value b'Bearer sk-secret'"))
    assert isinstance(error, ModelBusy if kind is httpx2.PoolTimeout else ModelUnreachable)
    assert str(error)[0].isupper()
    assert "sk-secret" not in str(error)


@pytest.mark.parametrize("error", [ssl.SSLError("bad record mac"), anyio.EndOfStream()])
def test_end_of_an_encrypted_connection_is_a_sentence(error: Exception) -> None:
    connection = Connection("http://127.0.0.1:1", "", RequestPolicy())
    assert "broke off the connection" in str(connection._failure(error))
