"""What a request means, who may make it, and in which form it is answered."""

import msgspec
import pytest

from api import kinds
from api.validation import Cause
from controlplane.apiserver import options, status
from controlplane.apiserver.access.builtin import GIVEN
from controlplane.apiserver.access.policies import Policies
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.call import Call, Target, User
from controlplane.apiserver.forms import Beta, InYaml, Pretty, Protobuf
from controlplane.apiserver.representation import Json, MetadataOnly, Representations, Table, Yaml
from controlplane.apiserver.steps.authorize import authorize
from controlplane.apiserver.steps.route import route
from kit.clock import FakeClock

PODS = "/api/v1/namespaces/default/pods"


def routed(method: str, path: str, **query: str) -> tuple[str, Target]:
    call = Call(method, path, query)
    route(call, None)
    return call.verb, call.target


@pytest.mark.parametrize(
    ("method", "path", "query", "verb", "target"),
    [
        ("GET", "/api/v1/pods", {}, "list", Target(kinds.POD)),
        ("GET", "/api/v1/pods/", {}, "list", Target(kinds.POD)),
        ("GET", PODS, {}, "list", Target(kinds.POD, "default")),
        ("GET", PODS, {"watch": "1"}, "watch", Target(kinds.POD, "default")),
        ("GET", PODS, {"watch": "false"}, "list", Target(kinds.POD, "default")),
        ("GET", "/api/v1/watch/namespaces/default/pods", {}, "watch", Target(kinds.POD, "default")),
        ("GET", f"{PODS}/web", {}, "get", Target(kinds.POD, "default", "web")),
        ("GET", f"{PODS}/web", {"watch": "true"}, "get", Target(kinds.POD, "default", "web")),
        ("GET", "/api/v1/watch/namespaces/default/pods/web", {}, "watch", Target(kinds.POD, "default", "web")),
        ("GET", f"{PODS}/web/log", {"follow": "true"}, "get", Target(kinds.POD, "default", "web", "log")),
        ("POST", PODS, {}, "create", Target(kinds.POD, "default")),
        ("POST", f"{PODS}/web/binding", {}, "create", Target(kinds.POD, "default", "web", "binding")),
        ("PUT", f"{PODS}/web/status", {}, "update", Target(kinds.POD, "default", "web", "status")),
        ("PATCH", f"{PODS}/web", {}, "patch", Target(kinds.POD, "default", "web")),
        ("DELETE", f"{PODS}/web", {}, "delete", Target(kinds.POD, "default", "web")),
        ("DELETE", PODS, {}, "deletecollection", Target(kinds.POD, "default")),
        ("GET", "/api/v1/namespaces", {}, "list", Target(kinds.NAMESPACE)),
        ("GET", "/api/v1/namespaces/default", {}, "get", Target(kinds.NAMESPACE, "", "default")),
        ("PUT", "/api/v1/namespaces/x/finalize", {}, "update", Target(kinds.NAMESPACE, "", "x", "finalize")),
        ("PUT", "/api/v1/namespaces/x/status", {}, "update", Target(kinds.NAMESPACE, "", "x", "status")),
        ("GET", "/api/v1/nodes/n1", {}, "get", Target(kinds.NODE, "", "n1")),
        ("GET", "/apis/apps/v1/deployments", {}, "list", Target(kinds.DEPLOYMENT)),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            {},
            "patch",
            Target(kinds.DEPLOYMENT, "a", "d", "scale"),
        ),
        ("GET", "/healthz", {}, "get", Target()),
        ("GET", "/api/v1", {}, "get", Target()),
        ("GET", "/api/v1/", {}, "get", Target()),
        ("GET", "/apis/apps", {}, "get", Target()),
        ("GET", "/apis/apps/v1", {}, "get", Target()),
    ],
)
def test_routes(method, path, query, verb, target):
    assert routed(method, path, **query) == (verb, target)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/nope", 404),
        ("GET", "/api/v2/pods", 404),
        ("GET", "/apis/nope/v1/pods", 404),
        ("GET", "/api/v1/namespaces/x/nodes", 404),
        ("GET", "/api/v1/pods/web", 404),
        ("GET", f"{PODS}/web/nope", 404),
        ("GET", f"{PODS}/web/log/more", 404),
        ("POST", "/api/v1/pods", 405),
        ("DELETE", "/api/v1/pods", 405),
        ("POST", f"{PODS}/web", 405),
        ("PUT", PODS, 405),
        ("DELETE", "/api/v1/namespaces", 405),
        ("POST", f"{PODS}/web/status", 405),
        ("DELETE", f"{PODS}/web/status", 405),
        ("GET", f"{PODS}/web/binding", 405),
        ("TRACE", PODS, 405),
        ("POST", "/api/v1/watch/namespaces/default/pods", 405),
        ("DELETE", "/api/v1/watch/namespaces/default/pods/web", 405),
        ("GET", "/api/v1/namespaces//pods", 404),
        ("GET", f"{PODS}//log", 404),
        ("GET", "*", 404),
        ("GET", "x", 404),
    ],
)
def test_no_such_route(method, path, code):
    with pytest.raises(status.StatusError) as caught:
        routed(method, path)
    assert caught.value.code == code


def _pods() -> Kept:
    """Pods default/mine on n1, which uses some Secrets and ConfigMaps, and default/other on n2."""
    kept = Kept(kinds.POD)
    volumes = [
        {"name": "a", "secret": {"secretName": "s-volume"}},
        {"name": "b", "projected": {"sources": [{"configMap": {"name": "c-projected"}}]}},
    ]
    env = [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s-env", "key": "k"}}}]
    container = {"name": "x", "env": env, "envFrom": [{"configMapRef": {"name": "c-from"}}]}
    spec = {
        "volumes": volumes,
        "initContainers": [container],
        "imagePullSecrets": [{"name": "s-pull"}],
        "serviceAccountName": "own",
    }
    for revision, (name, more) in enumerate(
        {"mine": {"nodeName": "n1"} | spec, "other": {"nodeName": "n2"}}.items(), 1
    ):
        body = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, "spec": more}
        kept.apply(f"default/{name}", msgspec.json.encode(body), None, revision)
    return kept


class _Core:
    class cache:
        resources = {kinds.POD: _pods(), kinds.PERSISTENT_VOLUME: Kept(kinds.PERSISTENT_VOLUME)}

    policies = Policies(GIVEN)


MASTER = User("admin", frozenset({"system:masters", "system:authenticated"}))
NODE = User("system:node:n1", frozenset({"system:nodes", "system:authenticated"}))
PROXY = User("system:kube-proxy", frozenset({"system:authenticated"}))
SCHEDULER = User("system:kube-scheduler", frozenset({"system:authenticated"}))
CONTROLLERS = User("system:kube-controller-manager", frozenset({"system:authenticated"}))
SOMEBODY = User("jane", frozenset({"system:authenticated"}))
ANONYMOUS = User("system:anonymous", frozenset({"system:unauthenticated"}))
SECRETS = "/api/v1/namespaces/default/secrets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


@pytest.mark.parametrize(
    ("user", "method", "path", "allowed"),
    [
        (MASTER, "DELETE", "/api/v1/namespaces/x", True),
        (MASTER, "GET", "/metrics", True),
        (ANONYMOUS, "GET", "/api", False),
        (ANONYMOUS, "GET", PODS, False),
        (SOMEBODY, "GET", "/metrics", False),
        (SOMEBODY, "GET", PODS, False),
        (SCHEDULER, "POST", f"{PODS}/a/binding", True),
        (SCHEDULER, "POST", PODS, False),
        (SCHEDULER, "PATCH", f"{PODS}/a/status", True),
        (PROXY, "GET", "/apis/discovery.k8s.io/v1/endpointslices", True),
        (PROXY, "GET", "/api/v1/secrets", False),
        (CONTROLLERS, "POST", PODS, True),
        (CONTROLLERS, "PUT", "/apis/apps/v1/namespaces/a/deployments/d/status", True),
        (CONTROLLERS, "PUT", "/api/v1/namespaces/a/finalize", True),
        (CONTROLLERS, "GET", f"{PODS}/a/log", False),
        (NODE, "GET", PODS, False),
        (NODE, "GET", "/api/v1/pods", False),
        (NODE, "GET", "/api/v1/pods?fieldSelector=spec.nodeName=n1", True),
        (NODE, "GET", "/api/v1/pods?fieldSelector=spec.nodeName=n2", False),
        (NODE, "GET", "/api/v1/pods?fieldSelector=spec.nodeName!=n1", False),
        (NODE, "GET", f"{PODS}?fieldSelector=metadata.name=mine", True),
        (NODE, "GET", f"{PODS}?fieldSelector=metadata.name=other", False),
        (NODE, "GET", f"{PODS}/mine", True),
        (NODE, "GET", f"{PODS}/other", False),
        (NODE, "GET", f"{PODS}/none", False),
        (NODE, "GET", f"{PODS}/mine/log", False),
        (NODE, "GET", "/api/v1/nodes", False),
        (NODE, "GET", "/api/v1/nodes/n1", True),
        (NODE, "GET", "/api/v1/nodes/n2", False),
        (NODE, "GET", "/api/v1/nodes?fieldSelector=metadata.name=n1", True),
        (NODE, "DELETE", "/api/v1/nodes/n1", False),
        (NODE, "GET", LEASES, False),
        (NODE, "GET", f"{LEASES}/n1", True),
        (NODE, "GET", f"{LEASES}/n2", False),
        (NODE, "POST", LEASES, True),
        (NODE, "GET", "/api/v1/namespaces/default/serviceaccounts/own", True),
        (NODE, "GET", "/api/v1/namespaces/default/serviceaccounts/default", False),
        (NODE, "PATCH", "/api/v1/nodes/n1/status", True),
        (NODE, "PATCH", "/api/v1/nodes/n2/status", False),
        (NODE, "POST", "/api/v1/nodes", True),
        (NODE, "PUT", f"{LEASES}/n1", True),
        (NODE, "PUT", f"{LEASES}/n2", False),
        (NODE, "PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/n1", False),
        (NODE, "PATCH", f"{PODS}/mine/status", True),
        (NODE, "PATCH", f"{PODS}/other/status", False),
        (NODE, "DELETE", f"{PODS}/mine", True),
        (NODE, "DELETE", f"{PODS}/other", False),
        (NODE, "POST", "/api/v1/namespaces", False),
        (NODE, "GET", f"{SECRETS}/s-volume", True),
        (NODE, "GET", f"{SECRETS}/s-env", True),
        (NODE, "GET", f"{SECRETS}/s-pull", True),
        (NODE, "GET", f"{SECRETS}/c-from", False),
        (NODE, "GET", f"{SECRETS}/unused", False),
        (NODE, "GET", SECRETS, False),
        (NODE, "GET", f"{SECRETS}?fieldSelector=metadata.name=s-env", True),
        (NODE, "GET", f"{SECRETS}?fieldSelector=metadata.name!=s-env", False),
        (NODE, "GET", f"{SECRETS}?fieldSelector=metadata.name=unused", False),
        (NODE, "GET", "/api/v1/secrets?fieldSelector=metadata.name=s-env", False),
        (NODE, "GET", "/api/v1/namespaces/other/secrets/s-env", False),
        (NODE, "GET", "/api/v1/namespaces/default/configmaps/c-from", True),
        (NODE, "GET", "/api/v1/namespaces/default/configmaps/c-projected", True),
        (NODE, "PUT", f"{SECRETS}/s-env", False),
        (User("system:node:n1"), "GET", PODS, False),
        (User("n1", frozenset({"system:nodes"})), "GET", PODS, False),
    ],
)
def test_who_may_do_what(user, method, path, allowed):
    path, _, query = path.partition("?")
    name, _, value = query.partition("=")
    call = Call(method, path, {name: value} if name else {}, user=user)
    route(call, None)
    if allowed:
        authorize(call, _Core)
        return
    with pytest.raises(status.StatusError) as caught:
        authorize(call, _Core)
    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            PODS,
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
        ),
        (
            "/apis/apps/v1/namespaces/a/deployments/d/status",
            (
                'deployments.apps "d" is forbidden: User "jane" cannot get resource "deployments/status" in API group "apps" '
                'in the namespace "a"'
            ),
        ),
        (
            "/api/v1/nodes",
            'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
        ),
        ("/metrics", 'forbidden: User "jane" cannot get path "/metrics"'),
    ],
)
def test_refusals_read_as_upstreams(path, message):
    call = Call("GET", path, user=SOMEBODY)
    route(call, None)
    with pytest.raises(status.StatusError) as caught:
        authorize(call, _Core)
    assert caught.value.message == message


KUBECTL = ",".join(f"application/json;as=Table;v={v};g=meta.k8s.io" for v in ("v1", "v1beta1")) + ",application/json"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Json),
        ("*/*", Json),
        ("application/json", Json),
        ("application/json, */*", Json),
        ("application/vnd.kubernetes.protobuf,application/json", Json),
        ("application/vnd.kubernetes.protobuf, */*", Json),
        ("application/yaml", Yaml),
        (KUBECTL, Table),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Beta),
        ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", Json),
        ("application/json;as=Table,application/json", Json),
        ("application/yaml;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", InYaml),
        ("application/vnd.kubernetes.protobuf", Protobuf),
        ("application/vnd.kubernetes.protobuf;q=0.9,application/cbor", Protobuf),
        ("application/vnd.kubernetes.protobuf,application/yaml", Yaml),
        ("application/cbor,application/json;q=0.1", Json),
        ("application/json;q=0.5,application/yaml;q=0.9", Yaml),
        ("*/*;q=0.8", Json),
        ("application/json;pretty=1", Pretty),
        ("application/json;stream=watch;charset=utf-8;unheard=of", Json),
        ("application/json;sv=v2,application/yaml", Yaml),
        ("*", Json),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", MetadataOnly),
        (
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,"
                "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
            ),
            MetadataOnly,
        ),
    ],
)
def test_forms(accept, form):
    forms = Representations(FakeClock())
    assert type(forms.negotiate(accept)) is form
    assert forms.negotiate(accept) is forms.negotiate(accept), "watchers share encodings by the form's identity"


@pytest.mark.parametrize(
    "accept",
    ["application/cbor", "text/html", "application/json;as=Nope;v=v1", "application/json;stream=other", "json"],
)
def test_forms_we_do_not_have(accept):
    with pytest.raises(status.StatusError) as caught:
        Representations(FakeClock()).negotiate(accept)
    assert (caught.value.code, caught.value.reason) == (406, "NotAcceptable")


def test_include_object():
    forms = Representations(FakeClock())
    assert forms.negotiate(KUBECTL, "None") is not forms.negotiate(KUBECTL, "Object")
    with pytest.raises(status.StatusError, match="Unable to convert to Table as requested: includeObject"):
        forms.negotiate(KUBECTL, "Nonsense")


def causes(query: dict[str, str], watch: bool) -> list[str]:
    try:
        options.parse(query, watch)
    except status.StatusError as error:
        assert error.code == 422
        return [f"{cause['field']}: {cause['message']}" for cause in error.details["causes"]]
    return []


@pytest.mark.parametrize(
    ("query", "watch", "expected"),
    [
        ({"resourceVersion": "5", "resourceVersionMatch": "Exact"}, False, []),
        ({"resourceVersion": "0", "resourceVersionMatch": "NotOlderThan"}, False, []),
        (
            {"resourceVersionMatch": "Exact"},
            False,
            ["resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"],
        ),
        (
            {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
            False,
            [
                'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
            ],
        ),
        (
            {"resourceVersion": "5", "resourceVersionMatch": "Near"},
            False,
            [
                'resourceVersionMatch: Unsupported value: "Near": supported values: "Exact", "NotOlderThan", ""',
            ],
        ),
        (
            {"sendInitialEvents": "true"},
            False,
            ["sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"],
        ),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}, True, []),
        (
            {"sendInitialEvents": "true"},
            True,
            [
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ],
        ),
        (
            {"resourceVersion": "5", "resourceVersionMatch": "NotOlderThan"},
            True,
            [
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ],
        ),
        ({"resourceVersion": "-1"}, False, ['resourceVersion: Invalid value: "-1": must be a number']),
    ],
)
def test_rules_of_list_options(query, watch, expected):
    assert causes(query, watch) == expected


@pytest.mark.parametrize("query", [{"limit": "x"}, {"timeoutSeconds": "x"}, {"limit": str(2**63)}])
def test_options_that_cannot_be_read(query):
    with pytest.raises(status.StatusError) as caught:
        options.parse(query, watch=True)
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("error", "code", "reason", "message"),
    [
        (status.not_found(status.subject(kinds.POD, "x")), 404, "NotFound", 'pods "x" not found'),
        (
            status.already_exists(status.subject(kinds.DEPLOYMENT, "x")),
            409,
            "AlreadyExists",
            'deployments.apps "x" already exists',
        ),
        (
            status.modified(status.subject(kinds.POD, "x")),
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on pods "x": the object has been modified; please apply your changes to the '
                "latest version and try again"
            ),
        ),
        (
            status.invalid(
                kinds.DEPLOYMENT, "x", [Cause("spec.replicas", "FieldValueInvalid", "Invalid value: -1: no")]
            ),
            422,
            "Invalid",
            'Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1: no',
        ),
        (
            status.invalid(kinds.POD, "x", [Cause("a", "R", "one"), Cause("b", "R", "two")]),
            422,
            "Invalid",
            'Pod "x" is invalid: [a: one, b: two]',
        ),
        (
            status.too_large_version(9, 5),
            504,
            "Timeout",
            "Timeout: Too large resource version: 9, current: 5",
        ),
    ],
)
def test_messages_read_as_upstreams(error, code, reason, message):
    assert (error.code, error.reason, error.message) == (code, reason, message)
