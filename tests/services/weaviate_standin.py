"""A server that speaks Weaviate's HTTP and gRPC on this machine, with faults on demand.

It does what ``WeaviateStore`` asks of the real one, which it cannot prove: set
LOREBOT_TEST_WEAVIATE_URL to run the contract against a real server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Self, TypeAlias

import grpc
from weaviate.proto.v1 import weaviate_pb2_grpc

from tests.services.weaviate_collection import Refusal, StoredCollection, StoredObject
from tests.services.weaviate_grpc import WeaviateServicer
from tests.services.weaviate_rest import handler

Fault: TypeAlias = grpc.StatusCode
"""The status of a gRPC answer; by HTTP every fault is a 503."""


def no_fault(_call: str) -> Fault | None:
    return None


def no_refusal(_properties: StoredObject) -> str:
    return ""


class WeaviateStandIn:
    """Both servers on ports of their own while the context is open.

    ``fault`` is asked before every call, by its name (``Search``, ``GET /schema``), and may wait;
    ``lost`` after a gRPC call was carried out, whose answer then fails; ``refusal`` before every
    object, for the error of a batch that succeeds in part. ``nodes`` have a status each; all hold
    the same but for what ``missed_by_one`` lets the one that answers miss.
    """

    def __init__(self, api_key: str = "") -> None:
        self.api_key = api_key
        self.collections: dict[str, StoredCollection] = {}
        self.aliases: dict[str, str] = {}
        self.nodes = {"node1": "HEALTHY"}
        self.calls: list[str] = []
        self.lock = threading.RLock()
        self.deletions_at_once = 10_000
        self.fault: Callable[[str], Fault | None] = no_fault
        self.lost: Callable[[str], Fault | None] = no_fault
        self.refusal: Callable[[StoredObject], str] = no_refusal
        self.http_port = 0
        self.grpc_port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Also again after ``stop``: on the same ports, with what was stored."""
        self._http = ThreadingHTTPServer(("127.0.0.1", self.http_port), handler(self))
        self._http.daemon_threads = True
        self.http_port = self._http.server_port
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self._grpc = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        add_servicer: Callable[..., None] = weaviate_pb2_grpc.add_WeaviateServicer_to_server
        add_servicer(WeaviateServicer(self), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port(f"127.0.0.1:{self.grpc_port}")
        self._grpc.start()

    def stop(self) -> None:
        """From now on connections are refused."""
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=0).wait()

    def accepts(self, authorization: str | bytes | None) -> bool:
        return not self.api_key or authorization == f"Bearer {self.api_key}"

    def called(self, call: str) -> Fault | None:
        self.calls.append(call)
        return self.fault(call)

    def collection(self, name: str) -> StoredCollection:
        found = self.collections.get(self.aliases.get(name, name))
        if found is None:
            raise Refusal(f"could not find class {name} in schema")
        return found

    @contextmanager
    def missed_by_one(self) -> Iterator[None]:
        """The node that answers from now on was away: what it had then, it has still."""
        before = {name: dict(one.objects) for name, one in self.collections.items()}
        yield
        for name, had in before.items():
            now = self.collections[name].objects
            changed = {uuid: one for uuid, one in had.items() if now.get(uuid) is not one}
            self.collections[name].stale = changed

    def check_object(self, new: StoredObject) -> None:
        reason = self.refusal(new)
        if reason:
            raise Refusal(reason)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()


def slow(seconds: float) -> Callable[[str], Fault | None]:
    """Every call waits."""

    def wait(_call: str) -> Fault | None:
        time.sleep(seconds)
        return None

    return wait
