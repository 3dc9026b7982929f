"""The connection to a Weaviate server: timeouts, retries, and errors as sentences."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import grpc
import httpx
from weaviate import WeaviateClient
from weaviate.classes.init import AdditionalConfig, Auth, Timeout
from weaviate.config import GrpcConfig
from weaviate.connect import ConnectionParams
from weaviate.exceptions import (
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateClosedClientError,
    WeaviateConnectionError,
    WeaviateStartUpError,
    WeaviateTimeoutError,
)

from indexer.errors import StoreError
from indexer.settings import StoreTable

Answer = TypeVar("Answer")

_RETRY_DELAYS = (0.1, 0.3, 0.9, 1.8)
_MAX_DETAIL = 300
_FORBIDDEN = {401, 403, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
_BUSY = {429, 502, 503, 504, grpc.StatusCode.UNAVAILABLE}
# The client answers a refused connection with a minute of retries of its own; a channel that waits
# for the server instead keeps every call within its time.
_WAIT_FOR_SERVER = {
    "methodConfig": [
        {
            "name": [{}],
            "waitForReady": True,
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
_CHANNEL_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.service_config", json.dumps(_WAIT_FOR_SERVER)),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # As for HTTP: the environment's proxy is not meant for a server of one's own.
    ("grpc.enable_http_proxy", 0),
]


class RefusedByServer(StoreError):
    """The server answered and refused the request."""


class WeaviateServer:
    """A client whose requests time out after ``seconds``.

    While the server refuses connections or answers 429, 502, 503 or 504, requests are retried for
    some three seconds. Raises StoreError; the API key is in no message.
    """

    def __init__(self, table: StoreTable, seconds: float = 10.0) -> None:
        self._table = table
        self._seconds = seconds
        # The client logs objects that the server refused, with the text of private documents.
        logging.getLogger("weaviate-client").setLevel(logging.CRITICAL)
        self._client = _client(table, seconds)
        try:
            self.call(self._connect)
        except BaseException:
            self._client.close()
            raise

    @property
    def url(self) -> str:
        return self._table.url

    @property
    def client(self) -> WeaviateClient:
        """For use within ``call`` only."""
        return self._client

    def call(self, operation: Callable[[], Answer]) -> Answer:
        """The result of ``operation``, which must be idempotent: it may run several times."""
        for delay in _RETRY_DELAYS:
            try:
                return operation()
            except (WeaviateBaseError, httpx.HTTPError) as error:
                if not _is_transient(error):
                    raise self._explained(error) from error
            time.sleep(delay)
        try:
            return operation()
        except (WeaviateBaseError, httpx.HTTPError) as error:
            raise self._explained(error) from error

    def close(self) -> None:
        self._client.close()

    def _connect(self) -> None:
        # An earlier attempt may have left a connection open.
        self._client.close()
        self._client.connect()

    def _explained(self, error: Exception) -> StoreError:
        code = _code(error)
        if isinstance(error, WeaviateClosedClientError):
            return StoreError(f"The index at {self.url} is closed.")
        if code in _FORBIDDEN:
            return StoreError(
                f"Weaviate at {self.url} does not accept the API key; set `api_key` in [store], or "
                "LOREBOT_STORE_API_KEY, to one that may read and write."
            )
        if code in _BUSY:
            return StoreError(
                f"Weaviate at {self.url} is not ready; wait until it has started or is less busy."
            )
        if _timed_out(error, code):
            return StoreError(
                f"Weaviate at {self.url} (gRPC at {self._table.grpc_address}) did not answer "
                f"within {self._seconds:g} seconds; check that it runs and that `url`, `grpc_host` "
                "and `grpc_port` in [store] are right."
            )
        if _unreachable(error):
            return StoreError(
                f"Weaviate at {self.url} cannot be reached; check that it runs and that `url` in "
                "[store] is right."
            )
        return RefusedByServer(f"Weaviate at {self.url} refused: {_detail(error)}")


def _client(table: StoreTable, seconds: float) -> WeaviateClient:
    address = urlsplit(table.url)
    secure = address.scheme == "https"
    return WeaviateClient(
        connection_params=ConnectionParams.from_params(
            http_host=str(address.hostname),
            http_port=address.port or (443 if secure else 80),
            http_secure=secure,
            grpc_host=table.grpc_host or str(address.hostname),
            grpc_port=table.grpc_port,
            grpc_secure=secure,
        ),
        auth_client_secret=Auth.api_key(table.api_key.get_secret_value())
        if table.api_key
        else None,
        additional_config=AdditionalConfig(
            timeout=Timeout(init=seconds, query=seconds, insert=seconds),
            grpc_config=GrpcConfig(channel_options=_CHANNEL_OPTIONS),
        ),
        # The checks would ask a package index for the newest client.
        skip_init_checks=True,
    )


def _is_transient(error: Exception) -> bool:
    """Whether a retry may help; gRPC has retried its own errors already."""
    return _unreachable(error) or (
        isinstance(error, UnexpectedStatusCodeError) and error.status_code in _BUSY
    )


def _unreachable(error: Exception) -> bool:
    return (
        isinstance(error, WeaviateConnectionError | WeaviateStartUpError | httpx.TransportError)
        and not isinstance(error, httpx.TimeoutException)
        and "not supported" not in str(error)
    )


def _timed_out(error: Exception, code: object) -> bool:
    timeouts = (WeaviateTimeoutError, httpx.TimeoutException)
    return isinstance(error, timeouts) or code == grpc.StatusCode.DEADLINE_EXCEEDED


def _code(error: Exception) -> object:
    """The HTTP or gRPC status behind an error, None when there was no answer."""
    for cause in _causes(error):
        if isinstance(cause, grpc.RpcError) and isinstance(cause, grpc.Call):
            return cause.code()
        if isinstance(cause, UnexpectedStatusCodeError):
            return cause.status_code
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The innermost cause first: it has a status code, where the client's own error has words."""
    if error is not None:
        yield from _causes(error.__cause__ or error.__context__)
        yield error


def _detail(error: Exception) -> str:
    detail = " ".join(str(getattr(error, "error", "") or error).split())
    return detail[:_MAX_DETAIL]
