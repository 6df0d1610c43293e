"""Server-side apply and managedFields, by real requests."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from api import kinds
from api.kinds import Kind
from client.client import Client
from client.errors import ApiError, BadRequest, Conflict, Invalid, NotFound
from controlplane.apiserver.call import Call, User
from controlplane.apiserver.fieldmanagers import manager
from controlplane.apiserver.pipeline import handle
from tests.samples import GOOD

NS = "default"
APPLY, MERGE, JSON_PATCH = "application/apply-patch+yaml", "application/merge-patch+json", "application/json-patch+json"
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "demo:1"}]}}


def deployment(**spec: Any) -> dict[str, Any]:
    full = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": NS}, "spec": full}


def config_map(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": NS}, "data": data}


MAP = kinds.CONFIG_MAP.path(NS, "m")
MAPS = kinds.CONFIG_MAP.path(NS)
WEB = kinds.DEPLOYMENT.path(NS, "web")


TWICE = b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1", "a": "2"}}'


class Api:
    """Requests with bodies of plain data, answered in kind."""

    def __init__(self, client: Client) -> None:
        self._transport = client.transport

    async def __call__(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **query: str
    ) -> Any:
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return json.loads(await self._transport.request(method, path, query, data, kind))

    async def apply(self, path: str, body: Any, by: str = "me", **query: str) -> Any:
        return await self("PATCH", path, body, APPLY, fieldManager=by, **query)


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


def owners(obj: Any) -> dict[tuple[str, str, str], Any]:
    """The fields of each manager, by name, operation and subresource."""
    entries = obj["metadata"].get("managedFields", [])
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}


def fields(obj: Any, by: str, operation: str = "Apply", subresource: str = "") -> Any:
    return owners(obj)[by, operation, subresource]


# applying


async def test_what_is_applied_is_made_and_then_kept_as_it_is(api: Api):
    made = await api.apply(WEB, deployment(replicas=2))
    assert made["spec"]["replicas"] == 2 and made["spec"]["strategy"]["type"] == "RollingUpdate"
    (entry,) = made["metadata"]["managedFields"]
    assert {key: entry[key] for key in ("manager", "operation", "apiVersion", "fieldsType")} == {
        "manager": "me",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
    }
    assert entry["time"].endswith("Z") and entry["fieldsV1"] == {
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:a": {}}},
                "f:spec": {"f:containers": {'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}}}},
            },
        }
    }
    again = await api.apply(WEB, deployment(replicas=2))
    assert again == made
    less = await api.apply(WEB, deployment())
    assert less["spec"]["replicas"] == 1  # the default again
    assert "f:replicas" not in fields(less, "me")["f:spec"]


async def test_made_with_201_and_changed_with_200(cluster: Any):
    server = cluster.server
    for wanted in (201, 200):
        call = Call(
            "PATCH", MAP, {"fieldManager": "me"}, content_type=APPLY, body=json.dumps(config_map(a="1")).encode()
        )
        call.user = User("admin", ("system:masters",))
        result = await handle(call, server.core)
        assert result.status == wanted


async def test_yaml(api: Api):
    text = yaml.safe_dump(config_map(a="1", b="yes")).encode()
    assert (await api.apply(MAP, text))["data"] == {"a": "1", "b": "yes"}


async def test_a_conflict_names_managers_and_fields(api: Api):
    await api("POST", MAPS, config_map(a="1", b="1"), fieldManager="creator")
    with pytest.raises(Conflict) as caught:
        await api.apply(MAP, config_map(a="2"))
    assert caught.value.code == 409
    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "creator" using v1: .data.a'
    assert caught.value.status.details is not None
    assert [(c.reason, c.message, c.field) for c in caught.value.status.details.causes] == [
        ("FieldManagerConflict", 'conflict with "creator" using v1', ".data.a")
    ]
    await api.apply(MAP, config_map(c="1"), by="you")
    with pytest.raises(Conflict) as caught:
        await api.apply(MAP, config_map(a="2", b="2", c="2"))
    assert str(caught.value) == (
        'Apply failed with 3 conflicts: conflicts with "creator" using v1:\n- .data.a\n- .data.b\nconflicts with "you":\n- .data.c'
    )
    assert (await api("GET", MAP))["data"] == {"a": "1", "b": "1", "c": "1"}
    forced = await api.apply(MAP, config_map(a="2"), force="true")
    assert forced["data"] == {"a": "2", "b": "1", "c": "1"}
    assert fields(forced, "creator", "Update") == {"f:data": {".": {}, "f:b": {}}}


async def test_shared_fields(api: Api):
    await api.apply(MAP, config_map(a="1", b="1"), by="me")
    await api.apply(MAP, config_map(a="1"), by="you")
    left = await api.apply(MAP, config_map(b="1"), by="me")
    assert left["data"] == {"a": "1", "b": "1"}
    left = await api.apply(MAP, config_map(), by="you")
    assert left["data"] == {"b": "1"}


async def test_an_apply_that_changes_nothing_writes_nothing(api: Api):
    made = await api.apply(MAP, config_map(a="1"))
    again = await api.apply(MAP, config_map(a="1"))
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    more = await api.apply(MAP, config_map(a="1"), by="you")  # one owner more is news
    assert more["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    # The server has it in other words: nothing but the time would change.
    body = deployment(
        template={
            **TEMPLATE,
            "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": {"cpu": 1}}}]},
        }
    )
    made = await api.apply(WEB, body)
    assert (await api.apply(WEB, body)) == made


async def test_dry_run(api: Api):
    would = await api.apply(MAP, config_map(a="1"), dryRun="All")
    assert would["data"] == {"a": "1"} and fields(would, "me")
    with pytest.raises(NotFound):
        await api("GET", MAP)


@pytest.mark.parametrize(
    ("body", "query", "error", "text"),
    [
        (config_map(), {"fieldManager": ""}, Invalid, "fieldManager: Required value: is required for apply patch"),
        (config_map(), {"fieldManager": "x" * 129}, Invalid, "fieldManager: Too long: may not be more than 128 bytes"),
        (config_map(), {"fieldManager": "a\nb"}, Invalid, r'fieldManager: Invalid value: "a\nb": invalid character U+000A (at position 1)'),
        ({**config_map(), "kind": "Secret"}, {}, BadRequest, "invalid object type: /v1, Kind=Secret"),
        ({"metadata": {"name": "m"}}, {}, BadRequest, "invalid object type: /, Kind="),
        ({**config_map(), "foo": 1}, {}, BadRequest, "patch object (default/m; /v1, Kind=ConfigMap): .foo: field not declared in schema"),
        ({**config_map(), "metadata": {"name": "m", "managedFields": []}}, {}, BadRequest, "metadata.managedFields must be nil"),
        ({**config_map(), "metadata": {"generateName": "m"}}, {}, BadRequest, "name must be provided"),
        ({**config_map(), "metadata": {"name": "other"}}, {}, BadRequest, "does not match the name on the URL"),
        ({**config_map(), "metadata": {"name": "m", "namespace": "other"}}, {}, BadRequest, "does not match the namespace"),
        ({**config_map(), "metadata": {"name": "m", "uid": "u"}}, {}, Conflict, "uid mismatch: the provided object specified uid u"),
        ({**config_map(), "metadata": []}, {}, BadRequest, ".metadata: expected map, got"),
        (b"a: [", {}, BadRequest, "error decoding YAML"),
        (b"[]", {}, BadRequest, "error decoding YAML"),
        (TWICE, {"fieldValidation": "Strict"}, BadRequest, 'key "a" already set in map'),
        (config_map(), {"fieldValidation": "Perhaps"}, Invalid, "Unsupported value"),
    ],
)  # fmt: skip
async def test_what_cannot_be_applied(api: Api, body: Any, query: dict[str, str], error: type[ApiError], text: str):
    with pytest.raises(error) as caught:
        await api("PATCH", MAP, body, APPLY, **{"fieldManager": "me", **query})
    assert text in str(caught.value)


async def test_preconditions(api: Api):
    made = await api.apply(MAP, config_map(a="1"))
    for meta, text in (
        ({"resourceVersion": "1"}, "the object has been modified"),
        ({"uid": "other"}, "Precondition failed: UID in precondition: other"),
    ):
        body = config_map(a="2")
        body["metadata"] |= meta
        with pytest.raises(Conflict, match=text):
            await api.apply(MAP, body)
    body = config_map(a="2")
    body["metadata"] |= {key: made["metadata"][key] for key in ("resourceVersion", "uid")}
    assert (await api.apply(MAP, body))["data"] == {"a": "2"}


async def test_force_is_for_apply_alone_and_names_of_managers_are_checked_everywhere(api: Api):
    await api("POST", MAPS, config_map())
    with pytest.raises(Invalid, match="force: Forbidden: may not be specified for non-apply patch"):
        await api("PATCH", MAP, {}, MERGE, force="true")
    with pytest.raises(Invalid, match="CreateOptions.*Too long"):
        await api("POST", MAPS, config_map(), fieldManager="x" * 129)
    with pytest.raises(Invalid, match="UpdateOptions.*Too long"):
        await api("PUT", MAP, config_map(), fieldManager="x" * 129)


async def test_other_forms_of_apply_are_refused(api: Api):
    with pytest.raises(ApiError, match=r"accepted media types include: .*application/apply-patch\+yaml") as caught:
        await api("POST", MAPS, config_map()) and await api("PATCH", MAP, {}, "application/apply-patch+cbor")
    assert caught.value.code == 415


async def test_null_times_of_generated_manifests(api: Api):
    body = deployment(template={**TEMPLATE, "metadata": {"labels": {"a": "b"}, "creationTimestamp": None}})
    body["metadata"]["creationTimestamp"] = None
    body["status"] = {}
    made = await api.apply(WEB, body)
    assert made["metadata"]["creationTimestamp"]
    assert (await api.apply(WEB, body)) == made


# updates


async def test_who_creates_owns_what_it_named_and_what_it_got_by_default(api: Api):
    made = await api("POST", kinds.DEPLOYMENT.path(NS), deployment(), fieldManager="kubectl-create")
    found = fields(made, "kubectl-create", "Update")["f:spec"]
    assert found["f:strategy"] == {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}}
    assert found["f:template"]["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}
    assert set(found["f:template"]["f:spec"]["f:containers"]) == {'k:{"name":"c"}'}
    assert "f:restartPolicy" in found["f:template"]["f:spec"]
    assert set(fields(made, "kubectl-create", "Update")) == {"f:spec"}


async def test_updates_and_patches(api: Api):
    made = await api("POST", MAPS, config_map(a="1", b="1"), fieldManager="one")
    made["data"] = {"a": "2"}
    put = await api("PUT", MAP, made, fieldManager="two")
    assert owners(put) == {("one", "Update", ""): {"f:data": {}}, ("two", "Update", ""): {"f:data": {"f:a": {}}}}
    patched = await api("PATCH", MAP, {"metadata": {"labels": {"x": "y"}}}, MERGE, fieldManager="two")
    assert fields(patched, "two", "Update") == {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:x": {}}}}
    patched = await api("PATCH", MAP, [{"op": "remove", "path": "/metadata/labels"}], JSON_PATCH, fieldManager="three")
    assert ("three", "Update", "") not in owners(patched)
    assert fields(patched, "two", "Update") == {"f:data": {"f:a": {}}}


async def test_an_update_that_changes_nothing_writes_nothing(api: Api):
    made = await api("POST", MAPS, config_map(a="1"), fieldManager="one")
    assert await api("PUT", MAP, config_map(a="1"), fieldManager="two") == made
    assert await api("PATCH", MAP, {"data": {"a": "1"}}, MERGE, fieldManager="two") == made
    made["metadata"] |= {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7}  # which the server puts back
    again = await api("PUT", MAP, made, fieldManager="one")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_the_status_has_its_own_entry_and_the_rest_of_the_body_does_not_count(api: Api):
    made = await api("POST", kinds.DEPLOYMENT.path(NS), deployment(), fieldManager="kubectl")
    made["status"] = {"replicas": 3, "observedGeneration": 1}
    made["spec"]["replicas"] = 7
    made["metadata"]["labels"] = {"x": "y"}
    done = await api("PUT", WEB + "/status", made, fieldManager="controller")
    assert fields(done, "controller", "Update", "status") == {
        "f:status": {"f:observedGeneration": {}, "f:replicas": {}}
    }
    assert "f:replicas" in fields(done, "kubectl", "Update")["f:spec"]
    applied = await api.apply(
        WEB + "/status", {**deployment(), "spec": None, "status": {"readyReplicas": 2}}, by="probe"
    )
    assert applied["status"]["readyReplicas"] == 2
    assert fields(applied, "probe", "Apply", "status") == {"f:status": {"f:readyReplicas": {}}}


async def test_the_object_does_not_own_the_status_that_a_body_brings_along(api: Api):
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": TEMPLATE["spec"],
        "status": {"phase": "Running"},
    }
    made = await api("POST", kinds.POD.path(NS), body, fieldManager="me")
    assert made["status"]["phase"] == "Pending" and "f:status" not in fields(made, "me", "Update")


async def test_the_scale_is_owned_on_the_object(api: Api):
    await api.apply(WEB, deployment(replicas=2))
    scaled = await api("PATCH", WEB + "/scale", {"spec": {"replicas": 5}}, MERGE, fieldManager="scaler")
    assert scaled["spec"]["replicas"] == 5 and "managedFields" not in scaled["metadata"]
    now = await api("GET", WEB)
    assert fields(now, "scaler", "Update", "scale") == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in fields(now, "me")["f:spec"]
    with pytest.raises(Conflict, match='conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas'):
        await api.apply(WEB, deployment(replicas=2))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 9}}
    with pytest.raises(Conflict, match='conflict with "scaler"'):
        await api.apply(WEB + "/scale", scale, by="hpa")
    await api.apply(WEB + "/scale", scale, by="hpa", force="true")
    now = await api("GET", WEB)
    assert now["spec"]["replicas"] == 9
    assert fields(now, "hpa", "Apply", "scale") == {"f:spec": {"f:replicas": {}}}
    assert ("scaler", "Update", "scale") not in owners(now)
    await api("PATCH", WEB + "/scale", {"spec": {"replicas": 9}}, MERGE, fieldManager="scaler")
    assert (await api("GET", WEB)) == now


async def test_nobody_owns_a_scale_that_nobody_set(api: Api):
    made = await api.apply(WEB, deployment())
    await api("PATCH", WEB + "/scale", {"spec": {"replicas": 5}}, MERGE, fieldManager="scaler")
    assert (await api("GET", WEB))["metadata"]["managedFields"] == made["metadata"]["managedFields"]


async def test_json_within_an_object(api: Api):
    path = kinds.CONTROLLER_REVISION.path(NS, "r")
    body = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "r"},
        "data": {"a": {"b": 1}},
        "revision": 1,
    }
    made = await api.apply(path, body)
    assert made["data"] == body["data"] and fields(made, "me") == {"f:data": {}, "f:revision": {}}
    assert await api.apply(path, body) == made


async def test_a_binding_owns_nothing(api: Api):
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    await api("POST", kinds.NODE.path(), node)
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": TEMPLATE["spec"]}
    made = await api("POST", kinds.POD.path(NS), body, fieldManager="me")
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p"},
        "target": {"kind": "Node", "name": "n"},
    }
    await api("POST", kinds.POD.path(NS, "p", "binding"), binding)
    bound = await api("GET", kinds.POD.path(NS, "p"))
    assert bound["spec"]["nodeName"] == "n"
    assert bound["metadata"]["managedFields"] == made["metadata"]["managedFields"]


@pytest.mark.parametrize("empty", [[], [{}]])
@pytest.mark.parametrize("way", ["put", "merge", "json"])
async def test_a_client_may_reset_them(api: Api, empty: list[Any], way: str):
    made = await api("POST", MAPS, config_map(a="1"), fieldManager="one")
    made["metadata"]["managedFields"] = empty
    if way == "put":
        done = await api("PUT", MAP, made)
    elif way == "merge":
        done = await api("PATCH", MAP, {"metadata": {"managedFields": empty}}, MERGE)
    else:
        done = await api(
            "PATCH", MAP, [{"op": "replace", "path": "/metadata/managedFields", "value": empty}], JSON_PATCH
        )
    assert "managedFields" not in done["metadata"]
    done = await api("PATCH", MAP, {"data": {"a": "2"}}, MERGE)  # nobody keeps account any more
    assert "managedFields" not in done["metadata"]
    applied = await api.apply(MAP, config_map(b="1"))
    assert owners(applied) == {
        ("before-first-apply", "Update", ""): {"f:data": {".": {}, "f:a": {}}},
        ("me", "Apply", ""): {"f:data": {"f:b": {}}},
    }


async def test_who_does_not_know_them_does_not_lose_them(api: Api):
    made = await api("POST", MAPS, config_map(a="1"), fieldManager="one")
    del made["metadata"]["managedFields"]
    assert owners(await api("PUT", MAP, made, fieldManager="two")) == {
        ("one", "Update", ""): {"f:data": {".": {}, "f:a": {}}}
    }
    made["metadata"]["managedFields"] = [
        {"manager": "x", "operation": "Bogus", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    ]
    assert ("one", "Update", "") in owners(await api("PUT", MAP, made, fieldManager="two"))


async def test_who_knows_them_may_change_them(api: Api):
    made = await api("POST", MAPS, config_map(a="1"), fieldManager="one")
    entry = made["metadata"]["managedFields"][0]
    entry["manager"] = "renamed"
    done = await api("PUT", MAP, made, fieldManager="two")
    assert set(owners(done)) == {("renamed", "Update", "")}
    done["metadata"]["managedFields"][0]["manager"] = "x" * 129
    with pytest.raises(Invalid, match=r"metadata.managedFields\[0\].manager: Too long"):
        await api("PUT", MAP, done, fieldManager="two")


async def test_no_more_than_ten_updaters(api: Api):
    await api("POST", MAPS, config_map(a="1"), fieldManager="m00")
    for number in range(1, 13):
        done = await api("PATCH", MAP, {"data": {f"k{number:02}": "1"}}, MERGE, fieldManager=f"m{number:02}")
    entries = done["metadata"]["managedFields"]
    assert len(entries) == 10 and "ancient-changes" in {entry["manager"] for entry in entries}


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("kubectl/v1.36.0 (linux/amd64)", "kubectl"),
        ("", "unknown"),
        ("/x", "unknown"),
        ("a\x07b/1", "ab"),
        ("x" * 200, "x" * 128),
        ("ü" * 100, "ü" * 64),
        ("curl", "curl"),
    ],
)
def test_managers_without_a_name_are_called_by_their_agent(agent: str, name: str):
    assert manager(Call("PUT", "/", {}, agent=agent)) == name


async def test_components_of_this_process_have_names(cluster: Any):
    api = Api(cluster.server.client("system:kube-controller-manager", "system:masters"))
    assert set(owners(await api("POST", MAPS, config_map(a="1")))) == {("kube-controller-manager", "Update", "")}


async def test_clients_of_the_network_are_called_by_their_agent(secure: Any):
    client = secure.http_client()
    made = await Api(client)("POST", MAPS, config_map(a="1"))
    assert set(owners(made)) == {("wherry", "Update", "")}
    await client.close()


@pytest.mark.parametrize("kind", [kinds.LEASE, kinds.EVENT, kinds.SERVICE, kinds.CLUSTER_ROLE, kinds.SECRET], ids=str)
async def test_all_kinds_are_kept_account_of(api: Api, kind: Kind[Any]):
    body = json.loads(json.dumps(GOOD[kind]))
    body["metadata"].pop("resourceVersion", None)
    made = await api(
        "POST",
        kind.path(NS if kind.namespaced else ""),
        {**body, "metadata": {**body["metadata"], "labels": {"a": "b"}}},
    )
    (fields_of_creator,) = owners(made).values()
    assert fields_of_creator["f:metadata"] == {"f:labels": {".": {}, "f:a": {}}}


# kubectl


LAST = "kubectl.kubernetes.io/last-applied-configuration"


async def test_from_kubectls_own_apply_to_the_servers(api: Api):
    body = config_map(a="1", b="1")
    body["metadata"]["annotations"] = {LAST: json.dumps(config_map(a="1", b="1"))}
    await api("POST", MAPS, body, fieldManager="kubectl-client-side-apply")
    done = await api.apply(MAP, config_map(a="2", b="1"), by="kubectl")  # no conflict: kubectl owned what it changes
    assert done["data"] == {"a": "2", "b": "1"}
    assert json.loads(done["metadata"]["annotations"][LAST])["data"] == {"a": "2", "b": "1"}
    await api("PATCH", MAP, {"data": {"a": "3"}}, MERGE, fieldManager="somebody")
    with pytest.raises(Conflict, match='conflict with "somebody" using v1: .data.a'):
        await api.apply(MAP, config_map(a="4", b="1"), by="kubectl")


async def test_the_clients_verb(client: Client):
    made = await client.apply(kinds.CONFIG_MAP, config_map(a="1"), manager="me")
    assert made.data == {"a": "1"}
    with pytest.raises(Conflict):
        await client.apply(kinds.CONFIG_MAP, config_map(a="2"), manager="you")
    assert (await client.apply(kinds.CONFIG_MAP, config_map(a="2"), manager="you", force=True)).data == {"a": "2"}
