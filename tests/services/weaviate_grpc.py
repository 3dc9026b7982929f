"""The gRPC side of the stand-in for Weaviate, in the client's own messages."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from google.protobuf.json_format import MessageToDict
from weaviate.proto.v1 import (
    aggregate_pb2,
    base_pb2,
    base_search_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

from tests.services import weaviate_ranking
from tests.services.weaviate_collection import Refusal, StoredCollection, StoredObject, Vector

if TYPE_CHECKING:
    from tests.services.weaviate_standin import WeaviateStandIn

_LIMIT = 20


class WeaviateServicer(weaviate_pb2_grpc.WeaviateServicer):
    def __init__(self, standin: WeaviateStandIn) -> None:
        self._standin = standin

    def Search(  # noqa: N802 - a name of the protocol
        self, request: search_get_pb2.SearchRequest, context: grpc.ServicerContext
    ) -> search_get_pb2.SearchReply:
        return self._answer("Search", request, context, self._search)

    def BatchObjects(  # noqa: N802
        self, request: batch_pb2.BatchObjectsRequest, context: grpc.ServicerContext
    ) -> batch_pb2.BatchObjectsReply:
        return self._answer("BatchObjects", request, context, self._insert)

    def BatchDelete(  # noqa: N802
        self, request: batch_delete_pb2.BatchDeleteRequest, context: grpc.ServicerContext
    ) -> batch_delete_pb2.BatchDeleteReply:
        return self._answer("BatchDelete", request, context, self._delete)

    def Aggregate(  # noqa: N802
        self, request: aggregate_pb2.AggregateRequest, context: grpc.ServicerContext
    ) -> aggregate_pb2.AggregateReply:
        return self._answer("Aggregate", request, context, self._count)

    def _answer(
        self, name: str, request: Any, context: grpc.ServicerContext, answer: Callable[[Any], Any]
    ) -> Any:
        headers = dict(context.invocation_metadata())
        if not self._standin.accepts(headers.get("authorization")):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthenticated: invalid api key")
        fault = self._standin.called(name)
        if fault is not None:
            context.abort(fault, "injected by the test")
        try:
            with self._standin.lock:
                answered = answer(request)
        except Refusal as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))
        lost = self._standin.lost(name)
        if lost is not None:
            context.abort(lost, "injected by the test")
        return answered

    def _insert(self, request: batch_pb2.BatchObjectsRequest) -> batch_pb2.BatchObjectsReply:
        reply = batch_pb2.BatchObjectsReply()
        for index, one in enumerate(request.objects):
            try:
                collection = self._standin.collection(one.collection)
                new = _stored(one, collection)
                self._standin.check_object(new)
                collection.insert(new)
            except Refusal as refusal:
                reply.errors.add(index=index, error=str(refusal))
        return reply

    def _delete(
        self, request: batch_delete_pb2.BatchDeleteRequest
    ) -> batch_delete_pb2.BatchDeleteReply:
        collection = self._standin.collection(request.collection)
        found = collection.matching(request.filters)[: self._standin.deletions_at_once]
        for one in found:
            collection.remove(one.uuid)
        return batch_delete_pb2.BatchDeleteReply(matches=len(found), successful=len(found))

    def _count(self, request: aggregate_pb2.AggregateRequest) -> aggregate_pb2.AggregateReply:
        collection = self._standin.collection(request.collection)
        found = len(collection.matching(_condition(request)))
        return aggregate_pb2.AggregateReply(
            single_result=aggregate_pb2.AggregateReply.Single(objects_count=found)
        )

    def _search(self, request: search_get_pb2.SearchRequest) -> search_get_pb2.SearchReply:
        collection = self._standin.collection(request.collection)
        among = collection.matching(_condition(request))
        scores: dict[str, float] = {}
        if request.HasField("near_vector"):
            scores = weaviate_ranking.nearest(among, *_asked_vector(request.near_vector))
            uuids = list(scores)
        elif request.HasField("bm25_search"):
            asked = request.bm25_search
            scores = weaviate_ranking.matching(collection, among, asked.query, asked.properties)
            uuids = list(scores)
        else:
            uuids = [one.uuid for one in among if one.uuid > request.after]
        reply = search_get_pb2.SearchReply()
        level = base_pb2.ConsistencyLevel.Name(request.consistency_level)
        for one in uuids[: request.limit or _LIMIT]:
            result = reply.results.add()
            stored = collection.seen[one]
            _fill_metadata(result.metadata, request.metadata, stored, scores.get(one, 0.0))
            _fill_properties(result.properties, request, collection, stored)
            agrees = collection.agrees(one, level.removeprefix("CONSISTENCY_LEVEL_"))
            if request.metadata.is_consistent:
                result.metadata.is_consistent = agrees
                result.metadata.is_consistent_present = True
        return reply


def _condition(request: Any) -> base_pb2.Filters | None:
    return request.filters if request.HasField("filters") else None


def _asked_vector(asked: base_search_pb2.NearVector) -> tuple[str, Vector]:
    (name,) = asked.targets.target_vectors or asked.target_vectors
    given = asked.vectors or asked.vector_for_targets
    value = given[0].vector_bytes if given else asked.vector_bytes
    return name, np.frombuffer(value, "<f4")


def _stored(given: batch_pb2.BatchObject, collection: StoredCollection) -> StoredObject:
    parts = given.properties
    properties: dict[str, Any] = MessageToDict(parts.non_ref_properties)
    properties |= {one.prop_name: list(one.values) for one in parts.text_array_properties}
    properties |= {name: [] for name in parts.empty_list_props}
    for name, value in properties.items():
        if collection.property(name)["dataType"] == ["int"]:
            properties[name] = int(value)
    vectors = {one.name: np.frombuffer(one.vector_bytes, "<f4") for one in given.vectors}
    return StoredObject(given.uuid, properties, vectors)


def _fill_metadata(
    metadata: search_get_pb2.MetadataResult,
    asked: search_get_pb2.MetadataRequest,
    stored: StoredObject,
    score: float,
) -> None:
    metadata.id = stored.uuid
    metadata.id_as_bytes = uuid.UUID(stored.uuid).bytes
    if asked.score:
        metadata.score, metadata.score_present = score, True
    if asked.distance:
        metadata.distance, metadata.distance_present = score, True
    for name in asked.vectors:
        if name in stored.vectors:
            metadata.vectors.add(
                name=name,
                vector_bytes=stored.vectors[name].tobytes(),
                type=base_pb2.Vectors.VECTOR_TYPE_SINGLE_FP32,
            )


def _fill_properties(
    result: search_get_pb2.PropertiesResult,
    request: search_get_pb2.SearchRequest,
    collection: StoredCollection,
    stored: StoredObject,
) -> None:
    asked = request.properties
    everything = asked.return_all_nonref_properties or not request.HasField("properties")
    result.target_collection = collection.name
    for schema in collection.schema["properties"]:
        name = schema["name"]
        if everything or name in asked.non_ref_properties:
            value = _value(schema["dataType"][0], stored.properties.get(name))
            result.non_ref_props.fields[name].CopyFrom(value)


def _value(kind: str, value: Any) -> properties_pb2.Value:
    if value is None:
        return properties_pb2.Value(null_value=0)
    if kind == "text[]":
        texts = properties_pb2.TextValues(values=value)
        return properties_pb2.Value(list_value=properties_pb2.ListValue(text_values=texts))
    return properties_pb2.Value(**{f"{kind}_value": value})
