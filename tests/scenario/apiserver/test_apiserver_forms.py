"""The forms in which a client can have what there is, and pages of deletions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml

from api import codec, kinds, protobuf
from api.core_v1 import ConfigMap
from client.kubeconfig import load
from kit.http.client import HttpClient
from kit.http.tls import client_context

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
MAPS = "/api/v1/namespaces/default/configmaps"
META = "g=meta.k8s.io;v="


@pytest.fixture
async def ask(secure: Any) -> AsyncIterator[Any]:
    """Sends a request as the administrator; three objects are there."""
    access = load(secure.kubeconfig())
    tls = client_context(access.ca, access.cert, access.key)
    http = HttpClient("127.0.0.1", secure.port, tls, server_name="localhost")

    async def sent(method: str, path: str, accept: str = JSON, body: Any = None, *agent: tuple[str, str]) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        headers = [("Accept", accept), ("Content-Type", JSON), *agent]
        return await http.request(method, path, body=data, headers=headers, timeout=60)

    for name in "abc":
        made = await sent("POST", MAPS, JSON, {"metadata": {"name": name, "labels": {"of": name}}, "data": {"k": name}})
        assert made.status == 201
    yield sent
    await http.close()


async def test_an_object_as_protobuf(ask: Any) -> None:
    plain = codec.decode(kinds.CONFIG_MAP, (await ask("GET", f"{MAPS}/a")).body)
    reply = await ask("GET", f"{MAPS}/a", PROTOBUF)
    assert (reply.status, reply.headers["content-type"]) == (200, PROTOBUF)
    assert protobuf.decode(kinds.CONFIG_MAP, reply.body) == plain


async def test_who_takes_json_too_gets_json(ask: Any) -> None:
    for accept in (f"{PROTOBUF},{JSON}", f"{PROTOBUF}, */*"):
        assert (await ask("GET", f"{MAPS}/a", accept)).headers["content-type"] == JSON


async def test_a_list_as_protobuf(ask: Any) -> None:
    envelope = protobuf.open_envelope((await ask("GET", f"{MAPS}?limit=2", PROTOBUF)).body)
    assert (envelope.api_version, envelope.kind) == ("v1", "ConfigMapList")
    parts = list(protobuf._fields(envelope.raw))
    items = [protobuf.decode_message(ConfigMap, part) for number, part in parts if number == 2]
    assert [item.data for item in items] == [{"k": "a"}, {"k": "b"}]
    meta = dict(protobuf._fields(parts[0][1]))
    assert meta[3]
    assert meta[4] == 1


async def test_a_watch_as_protobuf(ask: Any) -> None:
    query = "watch=1&timeoutSeconds=1&labelSelector=of%3Da&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    reply = await ask("GET", f"{MAPS}?{query}&allowWatchBookmarks=true", PROTOBUF)
    assert reply.headers["content-type"] == f"{PROTOBUF};stream=watch"
    events, rest = [], reply.body
    while rest:
        size = int.from_bytes(rest[:4], "big")
        event = dict(protobuf._fields(rest[4 : 4 + size]))
        found = protobuf.decode(ConfigMap, dict(protobuf._fields(event[2]))[1])
        events.append((event[1].decode(), found.metadata.name, sorted(found.metadata.annotations)))
        rest = rest[4 + size :]
    assert events[:2] == [("ADDED", "a", []), ("BOOKMARK", None, ["k8s.io/initial-events-end"])]


async def test_yaml(ask: Any) -> None:
    reply = await ask("GET", f"{MAPS}/a", YAML)
    assert reply.headers["content-type"] == YAML
    assert yaml.safe_load(reply.body)["data"] == {"k": "a"}
    table = yaml.safe_load((await ask("GET", MAPS, f"{YAML};as=Table;{META}v1")).body)
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b", "c"]


async def test_indented_for_people(ask: Any) -> None:
    flat = (await ask("GET", f"{MAPS}/a")).body
    for path, agent in ((f"{MAPS}/a?pretty=true", ()), (f"{MAPS}/a", (("User-Agent", "curl/8.5.0"),))):
        reply = await ask("GET", path, JSON, None, *agent)
        assert reply.body == json.dumps(json.loads(flat), indent=2).encode()
    assert (await ask("GET", f"{MAPS}/a?pretty=false", JSON, None, ("User-Agent", "curl/8.5.0"))).body == flat
    for verb, name, code in (("GET", "none", 404), ("DELETE", "c", 200)):  # a Status as well
        reply = await ask(verb, f"{MAPS}/{name}", JSON, None, ("User-Agent", "curl/8.5.0"))
        assert reply.status == code and reply.body == json.dumps(json.loads(reply.body), indent=2).encode()


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_versions_of_tables_and_metadata(ask: Any, version: str) -> None:
    reply = await ask("GET", MAPS, f"{JSON};as=Table;{META}{version}")
    table = json.loads(reply.body)
    assert reply.headers["content-type"] == JSON
    assert (table["kind"], table["apiVersion"]) == ("Table", f"meta.k8s.io/{version}")
    assert {row["object"]["apiVersion"] for row in table["rows"]} == {f"meta.k8s.io/{version}"}
    partial = json.loads((await ask("GET", f"{MAPS}/a", f"{JSON};as=PartialObjectMetadata;{META}{version}")).body)
    assert (partial["kind"], partial["apiVersion"]) == ("PartialObjectMetadata", f"meta.k8s.io/{version}")


async def test_one_page_is_deleted(ask: Any) -> None:
    first = json.loads((await ask("DELETE", f"{MAPS}?limit=1")).body)
    assert [item["metadata"]["name"] for item in first["items"]] == ["a"]
    left = json.loads((await ask("GET", MAPS)).body)["items"]
    assert [item["metadata"]["name"] for item in left] == ["b", "c"]
    token = first["metadata"]["continue"]
    rest = json.loads((await ask("DELETE", f"{MAPS}?limit=5&continue={token}&dryRun=All")).body)
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]
    assert len(json.loads((await ask("GET", MAPS)).body)["items"]) == 2


async def test_the_old_ways_to_watch(ask: Any) -> None:
    for path in ("/api/v1/watch/namespaces/default/configmaps/b?timeoutSeconds=1&resourceVersion=0",):
        lines = (await ask("GET", path)).body.splitlines()
        assert [json.loads(line)["object"]["metadata"]["name"] for line in lines] == ["b"]


async def test_what_nobody_needs_is_ignored(ask: Any) -> None:
    for query in ("shardSelector=x", "unheardOf=1", "timeout=10s", "allowWatchBookmarks=", "exact=true"):
        assert (await ask("GET", f"{MAPS}?{query}")).status == 200
    options = {"kind": "DeleteOptions", "apiVersion": "policy/v1", "orphanDependents": False}
    reply = await ask("DELETE", f"{MAPS}/a?ignoreStoreReadErrorWithClusterBreakingPotential=true", JSON, options)
    assert (reply.status, json.loads(reply.body)["status"]) == (200, "Success")
