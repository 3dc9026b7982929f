"""The HTTP side of the stand-in for Weaviate: readiness, version, nodes, schema and aliases."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.services.weaviate_collection import StoredCollection

if TYPE_CHECKING:
    from tests.services.weaviate_standin import WeaviateStandIn

VERSION = "1.38.11"
Answer = tuple[int, Any]


def handler(standin: WeaviateStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet; in two they cost 40 ms each

        def do_GET(self) -> None:
            self._answer()

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Tests read answers, not logs."""

        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, answer = self._answered(body)
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _answered(self, body: dict[str, Any]) -> Answer:
            path = self.path.partition("?")[0].removeprefix("/v1")
            if not standin.accepts(self.headers.get("authorization")):
                return _error(401, "invalid api key, please provide a valid api key")
            fault = standin.called(f"{self.command} {path}")
            if fault is not None:
                return _error(503, "injected by the test")
            with standin.lock:
                return _route(standin, self.command, path, body)

    return Handler


def _route(standin: WeaviateStandIn, method: str, path: str, body: dict[str, Any]) -> Answer:
    match [method, *path.strip("/").split("/")]:
        case ["GET", "meta"]:
            return 200, {"hostname": "http://[::]:8080", "version": VERSION, "modules": {}}
        case ["GET", ".well-known", "ready"]:
            return 200, None
        case ["GET", "nodes", name] if name in standin.collections:
            return 200, {"nodes": _nodes(standin, standin.collections[name])}
        case ["GET", "nodes", name]:
            return _error(404, f'class "{name}" not found')
        case ["GET", "schema"]:
            return 200, {"classes": [one.schema for one in standin.collections.values()]}
        case ["POST", "schema"]:
            return _create(standin, body)
        case ["GET", "schema", name]:
            found = standin.collections.get(standin.aliases.get(name, name))
            return (200, found.schema) if found else (404, None)
        case ["DELETE", "schema", name]:
            standin.collections.pop(name, None)
            return 200, None
        case ["POST", "aliases"]:
            if body["alias"] in standin.aliases:
                return _error(422, f"alias {body['alias']} already exists")
            return _point(standin, body["alias"], body["class"])
        case ["GET", "aliases", alias] if alias in standin.aliases:
            return 200, {"alias": alias, "class": standin.aliases[alias]}
        case ["PUT", "aliases", alias] if alias in standin.aliases:
            return _point(standin, alias, body["class"])
        case [_, "aliases", _]:
            return 404, None
    return _error(501, f"the stand-in does not know {method} {path}")


def _nodes(standin: WeaviateStandIn, collection: StoredCollection) -> list[dict[str, Any]]:
    """As ``output=verbose`` has it: one shard a collection, a copy on each node there is."""
    shard = {
        "class": collection.name,
        "name": "the-only-shard",
        "objectCount": len(collection.objects),
        "vectorIndexingStatus": "READY",
        "vectorQueueLength": 0,
        "compressed": False,
        "loaded": True,
        "numberOfReplicas": collection.factor,
        "replicationFactor": collection.factor,
    }
    stats = {"objectCount": len(collection.objects), "shardCount": 1}
    answered = {"version": VERSION, "gitHash": "standin", "batchStats": {"ratePerSecond": 0}}
    return [
        {"name": name, "status": status}
        # Of a node that did not answer there is nothing else to tell.
        | ({**answered, "shards": [shard], "stats": stats} if status.endswith("HEALTHY") else {})
        for name, status in sorted(standin.nodes.items())
    ]


def _create(standin: WeaviateStandIn, schema: dict[str, Any]) -> Answer:
    if schema["class"] in standin.collections:
        return _error(422, f"class name {schema['class']} already exists")
    wanted, found = schema.get("replicationConfig", {}).get("factor", 1), len(standin.nodes)
    if wanted > found:
        return _error(422, f"not enough storage replicas: found {found} want {wanted}")
    collection = StoredCollection(schema)
    standin.collections[collection.name] = collection
    return 200, collection.schema


def _point(standin: WeaviateStandIn, alias: str, target: str) -> Answer:
    if target not in standin.collections:
        return _error(422, f"collection {target} does not exist")
    standin.aliases[alias] = target
    return 200, {"alias": alias, "class": target}


def _error(status: int, message: str) -> Answer:
    return status, {"error": [{"message": message}]}
