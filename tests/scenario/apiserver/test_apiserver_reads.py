"""Lists, pages, watches, forms and pages of the server, over the network and in the process."""

import asyncio
import json

import msgspec
import pytest
import yaml

from api import apidiscovery_v2, codec, kinds, meta_v1, protobuf
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import ApiError, BadRequest, Expired, Forbidden, Invalid, NotFound, Unavailable
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit.clock import SystemClock
from kit.http.client import HttpClient
from kit.http.tls import client_context
from kit.supervisor import Supervisor

NS = "default"
PATH = kinds.CONFIG_MAP.path(NS)


async def fill(client: Client, *names: str, **labels: str) -> list[ConfigMap]:
    wanted = (ConfigMap(metadata=ObjectMeta(name=name, namespace=NS, labels=labels)) for name in names)
    return [await client.create(kinds.CONFIG_MAP, one) for one in wanted]


async def raw_list(client: Client, **query: str) -> dict:
    return msgspec.json.decode(await client.transport.request("GET", PATH, query))


def names(listed: dict) -> list[str]:
    return [item["metadata"]["name"] for item in listed["items"]]


async def test_pages_are_of_one_moment(client: Client):
    await fill(client, "a", "b", "c", "d", "e")
    first = await raw_list(client, limit="2")
    assert names(first) == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    await fill(client, "bb", "f")
    await client.delete(kinds.CONFIG_MAP, "d", NS)
    second = await raw_list(client, limit="2", **{"continue": first["metadata"]["continue"]})
    assert names(second) == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    third = await raw_list(client, limit="2", **{"continue": second["metadata"]["continue"]})
    assert names(third) == ["e"]
    assert "continue" not in third["metadata"]


async def test_a_page_that_is_too_old_can_be_gone_on_from(cluster):
    client = cluster.server.client("admin", "system:masters")
    await fill(client, "a", "b", "c")
    first = await raw_list(client, limit="1")
    await fill(client, "bb")
    await cluster.server.core.store.compact(cluster.server.core.store.revision)
    with pytest.raises(Expired, match="The provided continue parameter is too old") as caught:
        await raw_list(client, limit="5", **{"continue": first["metadata"]["continue"]})
    rest = await raw_list(client, limit="5", **{"continue": caught.value.status.metadata.continue_})
    assert names(rest) == ["b", "bb", "c"]


async def test_pages_of_a_selection_do_not_say_how_many_remain(client: Client):
    await fill(client, "a", "b", "c", app="web")
    await fill(client, "d", app="db")
    page = await raw_list(client, limit="2", labelSelector="app=web")
    assert names(page) == ["a", "b"]
    assert "remainingItemCount" not in page["metadata"]
    page = await raw_list(client, limit="2", labelSelector="app=web", **{"continue": page["metadata"]["continue"]})
    assert names(page) == ["c"]


@pytest.mark.parametrize("token", ["nonsense", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjkiLCJydiI6MSwic3RhcnQiOiJhIn0"])
async def test_tokens_that_are_none(client: Client, token):
    with pytest.raises(BadRequest, match="continue key is not valid"):
        await raw_list(client, **{"continue": token})


async def test_a_list_as_of_a_revision(client: Client):
    (made,) = await fill(client, "a")
    await fill(client, "b")
    then = made.metadata.resource_version
    assert names(await raw_list(client, resourceVersion=then, resourceVersionMatch="Exact")) == ["a"]
    assert names(await raw_list(client, resourceVersion=then, resourceVersionMatch="NotOlderThan")) == ["a", "b"]
    assert names(await raw_list(client, resourceVersion="0")) == ["a", "b"]
    with pytest.raises(Unavailable, match="Too large resource version: 9999") as caught:
        await raw_list(client, resourceVersion="9999")
    assert caught.value.code == 504


async def test_the_revision_of_a_list_is_where_a_watch_goes_on(client: Client):
    await fill(client, "a")
    listing = await client.list_raw(kinds.CONFIG_MAP, NS)
    await fill(client, "b")
    async for type_, data in client.watch_raw(kinds.CONFIG_MAP, NS, revision=listing.revision):
        assert (type_, codec.decode(kinds.CONFIG_MAP, data).metadata.name) == ("ADDED", "b")
        break


async def test_a_watch_tells_all_that_happens(client: Client):
    seen = []

    async def follow() -> None:
        async for event in client.watch(kinds.CONFIG_MAP, NS):
            seen.append((event.type, event.object.metadata.name))
            if event.type == "DELETED":
                return

    await fill(client, "before")
    following = asyncio.ensure_future(follow())
    while not seen:
        await asyncio.sleep(0.01)
    (made,) = await fill(client, "a")
    made.data = {"x": "y"}
    await client.update(kinds.CONFIG_MAP, made)
    await client.delete(kinds.CONFIG_MAP, "a", NS)
    await asyncio.wait_for(following, 120)
    assert seen == [("ADDED", "before"), ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_watch_of_initial_events_says_where_they_end(client: Client):
    await fill(client, "a", "b")
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "1",
    }
    seen = [
        (type_, msgspec.json.decode(data)) async for type_, data in client.transport.watch(kinds.CONFIG_MAP, NS, query)
    ]
    assert [type_ for type_, _ in seen] == ["ADDED", "ADDED", "BOOKMARK"]
    assert seen[-1][1]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_watch_from_a_forgotten_revision(cluster):
    await cluster.listen()
    kept = cluster.server.core.cache.resources[kinds.CONFIG_MAP]
    kept.oldest = 100
    for client in (cluster.server.client("admin", "system:masters"), cluster.http_client()):
        with pytest.raises(Expired, match=r"too old resource version: 5 \(100\)"):
            async for _ in client.watch_raw(kinds.CONFIG_MAP, NS, revision="5"):
                pass
        await client.close()


async def test_watches_that_cannot_be(client: Client):
    with pytest.raises(Invalid, match="sendInitialEvents requires setting resourceVersionMatch"):
        async for _ in client.transport.watch(kinds.POD, NS, {"sendInitialEvents": "true"}):
            pass
    with pytest.raises(BadRequest, match="field label not supported: spec.nope"):
        async for _ in client.transport.watch(kinds.POD, NS, {"fieldSelector": "spec.nope=1"}):
            pass


async def test_in_the_process_items_are_the_caches_own_bytes(cluster):
    client = cluster.server.client("admin", "system:masters")
    await fill(client, "a")
    listing = await client.list_raw(kinds.CONFIG_MAP, NS)
    assert listing.items[0] is cluster.server.core.cache.resources[kinds.CONFIG_MAP].entries["default/a"].data


async def test_users_in_the_process_are_authorized_too(cluster):
    scheduler = cluster.server.client("system:kube-scheduler")
    await scheduler.list(kinds.POD)
    with pytest.raises(Forbidden, match='User "system:kube-scheduler" cannot list resource "secrets"'):
        await scheduler.list(kinds.SECRET)


async def test_everything_is_there_after_a_restart(tmp_path):
    async def session(work):
        async with Supervisor(signals=False) as supervisor:
            store = await SqliteStore.open(tmp_path / "store.db", SystemClock())
            supervisor.defer("store", store.close)
            server = ApiServer(store, Settings("192.0.2.10"), SystemClock())
            await server.start(supervisor)
            await work(server.client("admin", "system:masters"))
            supervisor.stop()

    remembered = {}

    async def first(client: Client) -> None:
        await fill(client, "a", "gone")
        await client.delete(kinds.CONFIG_MAP, "gone", NS)
        remembered["service"] = await client.get(kinds.SERVICE, "kubernetes", NS)
        remembered["list"] = (await client.list_raw(kinds.CONFIG_MAP, NS)).revision

    async def second(client: Client) -> None:
        assert [c.metadata.name for c in await client.list(kinds.CONFIG_MAP, NS)] == ["a"]
        assert await client.get(kinds.SERVICE, "kubernetes", NS) == remembered["service"]
        written = int((await client.list_raw(kinds.CONFIG_MAP, NS)).revision) - int(remembered["list"])
        assert written == 2, "a restart writes nothing but that a server has gone and come"
        watch = client.watch_raw(kinds.CONFIG_MAP, NS, revision="1")
        events = [(await anext(watch))[0] for _ in range(3)]
        assert events == ["ADDED", "ADDED", "DELETED"], "who watched before goes on without a gap"
        await watch.aclose()  # type: ignore[attr-defined]

    await session(first)
    await session(second)


# over the network


@pytest.fixture
async def ask(secure):
    """GET a path as the administrator, or without a certificate; (status, headers, body)."""
    pair = secure.kubeconfig()
    user = json.loads(pair.read_text())["users"][0]["user"]
    import base64

    cert, key = (base64.b64decode(user[f"client-{name}-data"]) for name in ("certificate", "key"))
    tls = client_context(secure.ca.cert, cert, key)
    nobody = client_context(secure.ca.cert)
    clients = {True: HttpClient("127.0.0.1", secure.port, tls), False: HttpClient("127.0.0.1", secure.port, nobody)}

    async def get(path: str, accept: str = "", *, known: bool = True, **headers: str):
        more = [("Accept", accept)] if accept else []
        more += [(name.replace("_", "-"), value) for name, value in headers.items()]
        return await clients[known].request("GET", path, headers=more)

    yield get
    for one in clients.values():
        await one.close()


@pytest.mark.parametrize(
    ("path", "known", "code"),
    [
        ("/healthz", False, 200),
        ("/livez?verbose", False, 200),
        ("/readyz", False, 200),
        ("/version", False, 200),
        ("/api", False, 403),
        ("/api", True, 200),
        ("/nope", True, 404),
        ("/metrics", True, 200),
        ("/", True, 200),
        ("/readyz/poststarthook/rbac/bootstrap-roles", True, 200),
        ("/readyz/nope", True, 404),
    ],
)
async def test_pages(ask, path, known, code):
    assert (await ask(path, known=known)).status == code


async def test_a_token_nobody_gave_out(ask):
    reply = await ask("/api", known=False, Authorization="Bearer nonsense")
    assert (reply.status, json.loads(reply.body)["reason"]) == (401, "Unauthorized")


async def test_discovery_lists_every_kind(ask):
    for kind in kinds.ALL:
        root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
        resources = {r["name"]: r for r in json.loads((await ask(root)).body)["resources"]}
        assert resources[kind.plural]["kind"] == kind.name
        assert resources[kind.plural]["verbs"] == list(kind.verbs)
        assert all(f"{kind.plural}/{name}" in resources for name in kind.subresources)


async def test_aggregated_discovery(ask):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    reply = await ask("/apis", accept)
    document = json.loads(reply.body)
    assert reply.headers["content-type"] == accept
    expected = dict.fromkeys(kind.group for kind in kinds.SERVED if kind.group)
    assert [group["metadata"]["name"] for group in document["items"]] == list(expected)
    again = await ask("/apis", accept, If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    old = accept.replace("v=v2", "v=v2beta1")
    assert (await ask("/apis", old)).status == 406
    assert json.loads((await ask("/apis", f"{old},application/json")).body)["kind"] == "APIGroupList"


async def test_forms_over_the_network(ask, secure):
    client = secure.server.client("admin", "system:masters")
    await fill(client, "a", "b")
    table = await ask(PATH, "application/json;as=Table;v=v1;g=meta.k8s.io")
    document = json.loads(table.body)
    assert (document["kind"], [row["cells"][0] for row in document["rows"]][-2:]) == ("Table", ["a", "b"])
    only = json.loads((await ask(f"{PATH}/a", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")).body)
    assert (only["kind"], only["metadata"]["name"], "data" in only) == ("PartialObjectMetadata", "a", False)
    lists = json.loads((await ask(PATH, "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")).body)
    assert lists["kind"] == "PartialObjectMetadataList"
    assert b"\nkind: ConfigMap" in b"\n" + (await ask(f"{PATH}/a", "application/yaml")).body
    assert (await ask(PATH, "text/html")).status == 406


async def test_warnings_for_unknown_fields(secure):
    client = secure.http_client()
    http = client.transport._http
    body = b'{"metadata":{"name":"w"},"nope":1}'
    headers = [("Content-Type", "application/json")]
    reply = await http.request("POST", f"{PATH}?fieldValidation=Warn", body=body, headers=headers)
    assert (reply.status, reply.headers["warning"]) == (201, '299 - "unknown field \\"nope\\""')
    await client.close()


async def test_metrics_count_requests(ask):
    await ask(PATH)
    text = (await ask("/metrics")).body.decode()
    about = 'group="",resource="configmaps",scope="namespace",subresource="",verb="LIST",version="v1"}'
    assert f'apiserver_request_duration_seconds_count{{component="apiserver",dry_run="",{about} 1.0' in text
    assert f'apiserver_request_total{{code="200",component="apiserver",dry_run="",{about} 1.0' in text
    assert 'apiserver_storage_objects{resource="deployments.apps"} 0.0' in text
    assert 'apiserver_resource_objects{group="",resource="namespaces"} 4.0' in text
    assert 'git_version="v1.36' in text


async def test_checks_have_upstreams_names(ask):
    for root in ("livez", "readyz", "healthz"):
        lines = (await ask(f"/{root}?verbose&exclude=etcd")).body.decode().splitlines()
        assert lines[:3] == ["[+]ping ok", "[+]log ok", "[+]etcd excluded: ok"]
        assert lines[-1] == f"{root} check passed"
        assert any(line.startswith("[+]poststarthook/") for line in lines) or root == "healthz"
        assert (await ask(f"/{root}/ping")).body == b"ok"
        unknown = (await ask(f"/{root}?verbose&exclude=nope")).body.decode()
        assert 'warn: some health checks cannot be excluded: no matches for "nope"' in unknown


async def test_logs_of_a_pod_that_runs_nowhere(client: Client):
    body = b'{"metadata":{"name":"p"},"spec":{"containers":[{"name":"a","image":"i"},{"name":"b","image":"i"}]}}'
    await client.transport.request("POST", kinds.POD.path(NS), {}, body)
    path = kinds.POD.path(NS, "p", "log")
    with pytest.raises(BadRequest, match=r"a container name must be specified for pod p, choose one of: \[a b\]"):
        await client.transport.request("GET", path, {})
    with pytest.raises(BadRequest, match="container c is not valid for pod p"):
        await client.transport.request("GET", path, {"container": "c"})
    assert await client.transport.request("GET", path, {"container": "a"}) == b""
    with pytest.raises(NotFound):
        await client.transport.request("GET", kinds.POD.path(NS, "q", "log"), {})


async def test_what_is_not_served_is_said_plainly(client: Client):
    with pytest.raises(ApiError) as caught:
        await client.transport.request("DELETE", kinds.NAMESPACE.path(), {})
    assert (caught.value.code, caught.value.reason) == (405, "MethodNotAllowed")
    with pytest.raises(NotFound, match="the server could not find the requested resource"):
        await client.transport.request("GET", "/apis/extensions/v1beta1/jobs", {})


async def test_a_large_list_comes_in_pieces_and_whole(client: Client):
    sizes = [1, 200_000, 200_000, 5, 131_072]
    for number, size in enumerate(sizes):
        wanted = ConfigMap(metadata=ObjectMeta(name=f"c{number}", namespace=NS), data={"x": "y" * size})
        await client.create(kinds.CONFIG_MAP, wanted)
    assert [len(item["data"]["x"]) for item in (await raw_list(client))["items"]] == sizes
    watched = client.watch(kinds.CONFIG_MAP, NS)
    assert [len((await anext(watched)).object.data["x"]) for _ in sizes] == sizes
    await watched.aclose()


async def test_discovery_in_protobuf_and_yaml(ask):
    media = "application/vnd.kubernetes.protobuf"
    for path, type_ in (
        ("/api", meta_v1.APIVersions),
        ("/apis", meta_v1.APIGroupList),
        ("/apis/apps", meta_v1.APIGroup),
        ("/apis/apps/v1", meta_v1.APIResourceList),
    ):
        reply = await ask(path, f"{media},application/json;q=0.9")
        assert reply.headers["content-type"] == media
        told = codec.decode(type_, (await ask(path)).body)
        assert codec.encode(protobuf.decode(type_, reply.body)) == codec.encode(told)
        document = yaml.safe_load((await ask(path, "application/yaml")).body)
        assert document == json.loads(codec.encode(told))
        assert (await ask(path, "text/html")).status == 406
    how = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    reply = await ask("/apis", media + how)
    assert reply.headers["content-type"] == media + how
    type_ = apidiscovery_v2.APIGroupDiscoveryList
    told = codec.decode(type_, (await ask("/apis", f"application/json{how}")).body)
    assert codec.encode(protobuf.decode(type_, reply.body)) == codec.encode(told)
    assert (await ask("/apis/apps/v1", f"application/json{how}")).status == 406  # there is no such part of it


async def test_several_checks_are_left_out(ask):
    text = (await ask("/readyz?verbose&exclude=ping&exclude=etcd&exclude=z&exclude=b")).body.decode()
    lines = text.splitlines()
    assert lines[0] == "[+]ping excluded: ok"
    assert "[+]etcd excluded: ok" in lines
    assert lines[-2] == 'warn: some health checks cannot be excluded: no matches for "b","z"'
    assert (await ask("/healthz?exclude=ping&exclude=etcd")).body == b"ok"


async def test_a_check_by_its_name_says_what_is_wrong(ask, secure):
    assert (await ask("/livez/log?verbose")).body == b"ok"
    assert (await ask("/livez/")).status == 404
    secure.server.pages.check("fuse", lambda: "it is blown")
    reply = await ask("/readyz/fuse")
    assert (reply.status, reply.body) == (500, b"internal server error: it is blown\n")
    assert (await ask("/readyz?exclude=fuse")).status == 200
    assert "[-]fuse failed: it is blown" in (await ask("/readyz")).body.decode().splitlines()


async def test_pages_for_people(ask):
    version = (await ask("/version")).body
    assert version.startswith(b'{\n  "major": "1",\n  "minor": "36",\n')
    assert b'\n    "/readyz/etcd",\n' in (await ask("/")).body
    assert (await ask("/api/v2")).headers["content-type"] == "application/json"
    assert (await ask("/nope")).body == b"404 page not found\n"


async def test_what_is_no_resource_is_hardly_measured(ask):
    for path in ("/livez", "/version", "/nope", "/api/v1", "/api/v1/nope", "/openapi/v3"):
        await ask(path)
    lines = [line for line in (await ask("/metrics")).body.decode().splitlines() if 'resource=""' in line]
    found = sorted(line for line in lines if line.startswith("apiserver_request_total"))
    labels = 'code="200",component="",dry_run="",group="",resource="",scope="",subresource="{}",verb="GET",version=""'
    assert found == [f"apiserver_request_total{{{labels.format(name)}}} 1.0" for name in ("/livez", "openapi/v3")]


async def test_requests_are_labelled_as_upstream_does(secure):
    client = secure.http_client()
    http, made = client.transport._http, b'{"metadata":{"name":"m"}}'
    apply = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"}}'
    for method, path, body, media in (
        ("POST", PATH, made, "application/json"),
        ("POST", f"{PATH}?dryRun=All", b'{"metadata":{"name":"n"}}', "application/json"),
        ("POST", f"{PATH}?dryRun=x", made, "application/json"),
        ("PATCH", f"{PATH}/m?fieldManager=me", apply, "application/apply-patch+yaml"),
        ("DELETE", PATH, b"", "application/json"),
        ("PATCH", PATH, b"{}", "application/merge-patch+json"),
        ("GET", f"{PATH}?watch=1&timeoutSeconds=1", b"", "application/json"),
    ):
        await http.request(method, path, body=body, headers=[("Content-Type", media)])
    await http.request("GET", "/apis/events.k8s.io/v1/events")
    text = secure.server._metrics.render().decode()
    found = set()
    for line in text.splitlines():
        if line.startswith("apiserver_request_total") and ('"configmaps"' in line or '"events"' in line):
            labels = dict(part.split("=") for part in line[line.index("{") + 1 : line.index("}")].split(","))
            found.add(" ".join(labels[name].strip('"') for name in ("verb", "group", "scope", "dry_run", "code")))
    assert found == {
        "POST  resource  201",
        "POST  resource All 201",
        "POST  resource invalid 422",
        "APPLY  resource  200",
        "DELETE  namespace  200",
        "WATCH  namespace  200",
        "LIST events.k8s.io cluster  200",
    }
    assert "_created" not in text
    await client.close()
