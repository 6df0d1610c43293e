"""Who may do what: rules of roles, acting as others, giving rights away. Decisions are functions, so these are tables."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from api import codec, kinds
from api.rbac_v1 import PolicyRule
from controlplane.apiserver import node_access, status
from controlplane.apiserver.access import attributes, escalation
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.builtin import GIVEN
from controlplane.apiserver.access.decisions import decide, forbidden, may, rules_for
from controlplane.apiserver.access.grants import Grant, Grants
from controlplane.apiserver.access.policies import Policies
from controlplane.apiserver.access.rules import allows, line
from controlplane.apiserver.bootstrap import rbac
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.call import Call, User
from controlplane.apiserver.identity.impersonation import Wanted, impersonated, wanted
from controlplane.apiserver.identity.users import ANONYMOUS, AUTHENTICATED

RBAC = "rbac.authorization.k8s.io/v1"
JANE = User("jane", ("devs", AUTHENTICATED))
ROBOT = User("system:serviceaccount:ns:robot", ("system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED))
MASTER = User("admin", ("system:masters", AUTHENTICATED))
LIST_PODS = Attributes("list", resource="pods", namespace="ns")


class Facts:
    """Roles and bindings that tests write."""

    def __init__(self, *given: Any) -> None:
        of_rbac = (kinds.ROLE, kinds.CLUSTER_ROLE, kinds.ROLE_BINDING, kinds.CLUSTER_ROLE_BINDING)
        self._kept = {kind.name: Kept(kind) for kind in of_rbac}
        self.policies = Policies(given)
        self.cache: Any = None
        self._revision = 0

    def put(self, kind: str, key: str, **body: Any) -> None:
        namespace, _, name = key.rpartition("/")
        document = {"kind": kind, "apiVersion": RBAC, "metadata": {"name": name, "namespace": namespace}, **body}
        self._apply(kind, key, msgspec.json.encode(document), None)

    def drop(self, kind: str, key: str) -> None:
        kept = self._kept[kind]
        self._apply(kind, key, None, kept._splicer.unsplice(kept.entries[key]))

    def defaults(self) -> None:
        """What every cluster has."""
        for one in rbac.wanted():
            meta = one.obj.metadata
            key = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
            self._apply(one.kind.name, key, codec.encode(one.obj), None)

    def role(self, key: str, *rules: PolicyRule) -> None:
        self.put("Role" if "/" in key else "ClusterRole", key, rules=msgspec.to_builtins(rules))

    def bind(self, key: str, role: str, *subjects: tuple[str, str]) -> None:
        """`role` is KIND/NAME, a subject (KIND, NAME) or, for service accounts, (KIND, NAMESPACE/NAME)."""
        kind, _, name = role.partition("/")
        named = []
        for what, who in subjects:
            namespace, _, last = who.rpartition("/")
            named.append({"kind": what, "name": last, "namespace": namespace})
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        self.put("RoleBinding" if "/" in key else "ClusterRoleBinding", key, roleRef=ref, subjects=named)

    def _apply(self, kind: str, key: str, value: bytes | None, previous: bytes | None) -> None:
        self._revision += 1
        event = self._kept[kind].apply(key, value, previous, self._revision)
        assert event is not None
        self.policies.observe(self._kept[kind], event)


# one rule


@pytest.mark.parametrize(
    ("rule", "asked", "allowed"),
    [
        (line("list", "pods"), LIST_PODS, True),
        (line("get", "pods"), LIST_PODS, False),
        (line("*", "pods"), LIST_PODS, True),
        (line("list", "pods", group="apps"), LIST_PODS, False),
        (line("list", "pods", group="*"), LIST_PODS, True),
        (line("list", "*"), LIST_PODS, True),
        (line("list", "pods/log"), LIST_PODS, False),
        (line("list", "pods/status"), replace(LIST_PODS, subresource="status"), True),
        (line("list", "pods"), replace(LIST_PODS, subresource="status"), False),
        (line("list", "*/status"), replace(LIST_PODS, subresource="status"), True),
        (line("list", "*/status"), replace(LIST_PODS, subresource="tatus"), False),
        (line("list", "*"), replace(LIST_PODS, subresource="status"), True),
        (line("list", "*/*"), replace(LIST_PODS, subresource="status"), False),
        (line("list", "pods", names="a b"), replace(LIST_PODS, name="b"), True),
        (line("list", "pods", names="a b"), replace(LIST_PODS, name="c"), False),
        (line("list", "pods", names="a b"), LIST_PODS, False),
        (line("get", urls="/metrics"), Attributes("get", path="/metrics"), True),
        (line("get", urls="/metrics"), Attributes("get", path="/metrics/x"), False),
        (line("get", urls="/metrics/*"), Attributes("get", path="/metrics/x"), True),
        (line("get", urls="/metrics/*"), Attributes("get", path="/metrics"), False),
        (line("get", urls="*"), Attributes("get", path="/metrics"), True),
        (line("get", urls="*"), Attributes("get", resource="pods"), False),
        (line("get", "*", group="*"), Attributes("get", path="/metrics"), False),
    ],
)
def test_a_rule(rule: PolicyRule, asked: Attributes, allowed: bool):
    assert allows(rule, asked) is allowed
    facts = Facts()
    facts.role("r", rule)
    facts.bind("b", "ClusterRole/r", ("User", "jane"))
    assert may(JANE, asked, facts) is allowed, "and in the index"


# bindings


def test_a_role_counts_in_its_namespace():
    facts = Facts()
    facts.role("ns/r", line("list", "pods"))
    facts.bind("ns/b", "Role/r", ("Group", "devs"))
    found = decide(JANE, LIST_PODS, facts)
    assert found == (True, 'RBAC: allowed by RoleBinding "b/ns" of Role "r" to Group "devs"')
    assert not may(JANE, replace(LIST_PODS, namespace="other"), facts)
    assert not may(JANE, replace(LIST_PODS, namespace=""), facts)
    assert not may(ROBOT, LIST_PODS, facts)


def test_a_cluster_role_counts_where_it_is_bound():
    facts = Facts()
    facts.role("r", line("list", "pods"))
    facts.bind("ns/b", "ClusterRole/r", ("ServiceAccount", "robot"))
    found = decide(ROBOT, LIST_PODS, facts)
    assert found.reason == 'RBAC: allowed by RoleBinding "b/ns" of ClusterRole "r" to ServiceAccount "robot/ns"'
    assert not may(ROBOT, replace(LIST_PODS, namespace="other"), facts)
    facts.bind("all", "ClusterRole/r", ("ServiceAccount", "ns/robot"))
    for namespace in ("ns", "other", ""):
        assert may(ROBOT, replace(LIST_PODS, namespace=namespace), facts)
    assert decide(ROBOT, LIST_PODS, facts).reason.startswith('RBAC: allowed by ClusterRoleBinding "all"')


def test_an_account_of_a_cluster_binding_has_a_namespace():
    facts = Facts()
    facts.role("r", line("list", "pods"))
    facts.bind("all", "ClusterRole/r", ("ServiceAccount", "robot"), ("Martian", "jane"))
    assert not may(ROBOT, LIST_PODS, facts)
    assert not may(JANE, LIST_PODS, facts)


def test_changes_count_at_once():
    facts = Facts()
    facts.bind("ns/b", "Role/r", ("User", "jane"))
    assert decide(JANE, LIST_PODS, facts) == (False, 'RBAC: role.rbac.authorization.k8s.io "r" not found')
    facts.role("ns/r", line("get", "pods"))
    assert decide(JANE, LIST_PODS, facts) == (False, "")
    facts.role("ns/r", line("get list", "pods"))
    assert may(JANE, LIST_PODS, facts)
    facts.bind("ns/b", "Role/r", ("User", "joe"))
    assert not may(JANE, LIST_PODS, facts)
    facts.bind("ns/b", "Role/r", ("User", "joe"), ("Group", "devs"), ("User", "jane"), ("User", "jane"))
    assert may(JANE, LIST_PODS, facts)
    facts.drop("RoleBinding", "ns/b")
    assert not may(JANE, LIST_PODS, facts)
    facts.bind("ns/b", "Role/r", ("User", "jane"))
    facts.drop("Role", "ns/r")
    assert not may(JANE, LIST_PODS, facts)


def test_several_missing_roles_are_all_named():
    facts = Facts()
    facts.bind("b", "ClusterRole/x", ("User", "jane"))
    facts.bind("c", "Martian/x", ("User", "jane"))
    text = 'RBAC: [clusterrole.rbac.authorization.k8s.io "x" not found, unsupported role reference kind: "Martian"]'
    assert decide(JANE, LIST_PODS, facts).reason == text


def test_an_object_that_cannot_be_read_allows_nothing():
    facts = Facts()
    facts.put("ClusterRole", "r", rules=7)
    facts.put("ClusterRoleBinding", "b", roleRef=[], subjects=0)
    assert not may(JANE, LIST_PODS, facts)


def test_what_is_built_in():
    facts = Facts(*GIVEN)
    assert decide(MASTER, LIST_PODS, facts) == (True, "")
    assert may(User("system:kube-scheduler"), Attributes("create", "", "pods", "binding", "ns", "p"), facts)
    for path in ("/readyz", "/api", "/apis/apps/v1", "/openid/v1/jwks"):  # by roles, which somebody may take away
        for user in (ANONYMOUS, JANE, ROBOT):
            assert not may(user, Attributes("get", path=path), facts)
    assert not may(JANE, Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"), facts)


HEALTH, VERSIONS = ("/healthz", "/livez", "/readyz"), ("/version", "/version/")
FOUND = ("/api", "/api/v1", "/apis", "/apis/apps/v1", "/openapi/v2", "/openapi/v3/api/v1")
ISSUERS = ("/.well-known/openid-configuration", "/openid/v1/jwks")
MONITOR = User("m", ("system:monitoring", AUTHENTICATED))


@pytest.mark.parametrize(
    ("user", "paths"),
    [
        (ANONYMOUS, HEALTH + VERSIONS),
        (JANE, HEALTH + VERSIONS + FOUND),
        (ROBOT, HEALTH + VERSIONS + FOUND + ISSUERS),
        (MONITOR, (*HEALTH, *VERSIONS, *FOUND, "/metrics", "/readyz/", "/readyz/etcd", "/livez/ping", "/healthz/log")),
    ],
)
def test_which_pages_the_default_roles_open(user: User, paths: tuple[str, ...]):
    facts = Facts(*GIVEN)
    facts.defaults()
    every = {
        *HEALTH,
        *VERSIONS,
        *FOUND,
        *ISSUERS,
        "/",
        "/metrics",
        "/readyz/",
        "/readyz/etcd",
        "/livez/ping",
        "/healthz/log",
    }
    assert {path for path in every if may(user, Attributes("get", path=path), facts)} == set(paths)
    assert not [path for path in every if may(user, Attributes("head", path=path), facts)], "get is not head"


@pytest.mark.parametrize("name", ["system:discovery", "system:public-info-viewer", "system:basic-user"])
def test_what_is_open_to_all_ends_with_its_binding(name: str):
    facts = Facts(*GIVEN)
    facts.defaults()
    review = Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews")
    asked = {
        "system:discovery": Attributes("get", path="/api"),
        "system:public-info-viewer": Attributes("get", path="/healthz"),
        "system:basic-user": review,
    }
    asker = ANONYMOUS if name == "system:public-info-viewer" else JANE
    assert may(asker, asked[name], facts)
    facts.drop("ClusterRoleBinding", name)
    assert not may(asker, asked[name], facts)


def test_all_rules_of_a_user():
    facts = Facts(*GIVEN)
    one, two = line("get", "pods"), line("get", urls="/x")
    facts.role("r", one, two)
    facts.role("ns/r", one)
    facts.bind("b", "ClusterRole/r", ("User", "jane"))
    facts.bind("c", "ClusterRole/r", ("Group", "devs"))
    facts.bind("ns/b", "Role/r", ("Group", "devs"))
    facts.bind("ns/c", "Role/gone", ("Group", "devs"))
    gone = 'role.rbac.authorization.k8s.io "gone" not found'
    assert rules_for(JANE, "ns", facts) == ([one, two], (gone,), False)
    node = User("system:node:n1", ("system:nodes",))
    assert rules_for(node, "ns", facts) == ([], ("node authorizer does not support user rule resolution",), True)


# what is asked for


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/api", Attributes("get", path="/api")),
        ("HEAD", "/apis/nope", Attributes("head", path="/apis/nope")),
        ("GET", "/api/v1", Attributes("get", path="/api/v1")),
        ("GET", "/apis/apps/v1", Attributes("get", path="/apis/apps/v1")),
        ("GET", "/api/v1/nopes", Attributes("list", resource="nopes", version="v1")),
        ("GET", "/api/v1/nopes?watch=1", Attributes("watch", resource="nopes", version="v1")),
        ("DELETE", "/api/v1/nopes", Attributes("deletecollection", resource="nopes", version="v1")),
        ("HEAD", "/api/v1/nopes/x", Attributes("get", resource="nopes", name="x", version="v1")),
        ("PUT", "/apis/g/v2/nopes/x/y/z", Attributes("update", "g", "nopes", "y", "", "x", version="v2")),
        ("PATCH", "/apis/g/v2/namespaces/a/b/c", Attributes("patch", "g", "b", "", "a", "c", version="v2")),
        ("POST", "/api/v1/namespaces/a/b", Attributes("create", "", "b", "", "a", version="v1")),
        ("GET", "/api/v1/namespaces/a", Attributes("get", "", "namespaces", "", "a", "a", version="v1")),
        (
            "PUT",
            "/api/v1/namespaces/a/status",
            Attributes("update", "", "namespaces", "status", "a", "a", version="v1"),
        ),
        ("GET", "/api/v1/watch/namespaces/a/b", Attributes("watch", "", "b", "", "a", version="v1")),
        ("TRACE", "/api/v1/nopes", Attributes("", resource="nopes", version="v1")),
    ],
)
def test_what_a_path_seems_to_want(method: str, path: str, wanted: Attributes):
    path, _, query = path.partition("?")
    assert attributes.of_path(Call(method, path, {"watch": "1"} if query else {})) == wanted


def test_refusals():
    who = User("<b>&")
    text = str(forbidden(who, Attributes("get", path="/x")))
    assert text == 'forbidden: User "&lt;b&gt;&amp;" cannot get path "/x"'
    error = forbidden(JANE, Attributes("get", "apps", "deployments", "scale", "ns", "d"), "RBAC: why")
    assert error.message == (
        'deployments.apps "d" is forbidden: User "jane" cannot get resource "deployments/scale" in API group "apps" '
        'in the namespace "ns": RBAC: why'
    )
    assert error.details == {"name": "d", "group": "apps", "kind": "deployments"}


# acting as others


def headers(**named: str | list[str]) -> list[tuple[bytes, bytes]]:
    pairs = [(name, one) for name, value in named.items() for one in ([value] if isinstance(value, str) else value)]
    return [(f"Impersonate-{name.replace('_', '-')}".encode(), one.encode()) for name, one in pairs]


def test_what_the_headers_ask_for():
    found = wanted(headers(User="jane", Group=["a", "b"], Uid="7", Extra_scopes=["x", "y"], **{"Extra_a%2Fb": "z"}))
    assert found == Wanted("jane", "7", ("a", "b"), (("a/b", ("z",)), ("scopes", ("x", "y"))))
    assert wanted([(b"accept", b"*/*")]) is None
    assert wanted(headers(User="")) is None
    for alone in (headers(Group="a"), headers(Uid="7"), headers(Extra_a="b")):
        with pytest.raises(status.StatusError, match="without impersonating a user name") as caught:
            wanted(alone)
        assert caught.value.code == 400


def as_whom(user: User, whom: Wanted, *rules: PolicyRule, action: Attributes = LIST_PODS) -> User:
    facts = Facts()
    facts.role("r", *rules)
    facts.bind("b", "ClusterRole/r", ("User", user.name))
    return impersonated(user, whom, action, facts)


AUTHN = "authentication.k8s.io"
ON_NODE = replace(ROBOT, extra=(("authentication.kubernetes.io/node-name", ("n1",)),))
NODE_GROUPS = ("system:nodes", AUTHENTICATED)


@pytest.mark.parametrize(
    ("user", "whom", "rules", "groups"),
    [
        (JANE, Wanted("joe"), [line("impersonate", "users")], (AUTHENTICATED,)),
        (JANE, Wanted("joe", groups=("a",)), [line("impersonate", "users groups")], ("a", AUTHENTICATED)),
        (
            JANE,
            Wanted("joe", groups=("system:masters",)),
            [line("impersonate", "users groups")],
            ("system:masters", AUTHENTICATED),
        ),
        (JANE, Wanted("system:anonymous"), [line("impersonate", "users")], ("system:unauthenticated",)),
        (
            JANE,
            Wanted("joe", groups=("system:unauthenticated",)),
            [line("impersonate", "users groups")],
            ("system:unauthenticated",),
        ),
        (
            JANE,
            Wanted("joe", "7", (), (("scopes", ("x",)),)),
            [line("impersonate", "users"), line("impersonate", "uids userextras/scopes", group=AUTHN)],
            (AUTHENTICATED,),
        ),
        (
            JANE,
            Wanted(ROBOT.name),
            [line("impersonate", "serviceaccounts", names="robot")],
            ROBOT.groups,
        ),
        (
            JANE,
            Wanted(ROBOT.name),
            [
                line("impersonate:serviceaccount", "serviceaccounts", group=AUTHN),
                line("impersonate-on:serviceaccount:list", "pods"),
            ],
            ROBOT.groups,
        ),
        (
            JANE,
            Wanted("joe", groups=("a", "b")),
            [
                line("impersonate:user-info", "users groups", group=AUTHN, names="joe a b"),
                line("impersonate-on:user-info:list", "pods"),
            ],
            ("a", "b", AUTHENTICATED),
        ),
        (
            JANE,
            Wanted("system:node:n1"),
            [
                line("impersonate:arbitrary-node", "nodes", group=AUTHN, names="n1"),
                line("impersonate-on:arbitrary-node:list", "pods"),
            ],
            NODE_GROUPS,
        ),
        (
            ON_NODE,
            Wanted("system:node:n1"),
            [
                line("impersonate:associated-node", "nodes", group=AUTHN),
                line("impersonate-on:associated-node:list", "pods"),
            ],
            NODE_GROUPS,
        ),
    ],
)
def test_who_may_act_as_whom(user: User, whom: Wanted, rules: list[PolicyRule], groups: tuple[str, ...]):
    found = as_whom(user, whom, *rules)
    assert found == User(whom.name, groups, whom.uid, whom.extra)
    for index in range(len(rules)):
        with pytest.raises(status.StatusError):
            as_whom(user, whom, *rules[:index], *rules[index + 1 :])


@pytest.mark.parametrize(
    ("user", "whom", "message"),
    [
        (JANE, Wanted("joe"), 'User "jane" cannot impersonate-on:user-info:list resource "pods"'),
        (JANE, Wanted(ROBOT.name), 'User "jane" cannot impersonate-on:serviceaccount:list resource "pods"'),
        (
            JANE,
            Wanted(ROBOT.name, "7"),
            'serviceaccounts "robot" is forbidden: User "jane" cannot impersonate resource ',
        ),
        (JANE, Wanted("system:node:n1"), 'User "jane" cannot impersonate-on:arbitrary-node:list resource "pods"'),
        (ON_NODE, Wanted("system:node:n1"), "cannot impersonate-on:associated-node:list"),
        (ON_NODE, Wanted("system:node:n2"), "cannot impersonate-on:arbitrary-node:list"),
    ],
)
def test_who_may_not(user: User, whom: Wanted, message: str):
    with pytest.raises(status.StatusError) as caught:
        as_whom(user, whom)
    assert caught.value.code == 403
    assert message in caught.value.message


CONSTRAINED = (line("impersonate:user-info", "*", group=AUTHN), line("impersonate-on:user-info:list", "pods"))


@pytest.mark.parametrize(
    ("whom", "message"),
    [
        (Wanted("joe", groups=("system:masters",)), "impersonating the system:masters group is not allowed"),
        (Wanted("joe", groups=("a", "")), "impersonating the empty string group is not allowed"),
        (Wanted("joe", extra=(("scopes", ("x",)),)), "impersonating an invalid key in extra is not allowed"),
        (Wanted("joe", extra=(("a.b/c", ("",)),)), "impersonating the empty string value in extra is not allowed"),
    ],
)
def test_what_no_rule_allows(whom: Wanted, message: str):
    with pytest.raises(status.StatusError, match=message):
        as_whom(JANE, whom, *CONSTRAINED)
    assert as_whom(JANE, whom, *CONSTRAINED, line("impersonate", "*", group="*")).name == "joe", "the old way does"


def test_masters_may_act_as_anybody():
    assert impersonated(MASTER, Wanted("system:node:n1"), LIST_PODS, Facts()).groups == NODE_GROUPS
    assert (
        impersonated(MASTER, Wanted("joe", groups=("system:masters",)), LIST_PODS, Facts()).groups[0]
        == "system:masters"
    )


# giving rights away


@pytest.mark.parametrize(
    ("owned", "given", "missing"),
    [
        ([line("get list", "pods")], [line("get", "pods")], []),
        ([line("get", "pods")], [line("get list", "pods")], [line("list", "pods")]),
        ([line("get", "pods"), line("list", "pods")], [line("get list", "pods")], []),
        ([line("*", "*", group="*")], [line("*", "pods/status", group="apps")], []),
        ([line("get", "pods")], [line("*", "pods")], [line("*", "pods")]),
        ([line("get", "*/status")], [line("get", "pods/status")], []),
        ([line("get", "*/status")], [line("get", "pods")], [line("get", "pods")]),
        ([line("get", "pods", names="a")], [line("get", "pods", names="a b")], [line("get", "pods", names="b")]),
        ([line("get", "pods", names="a")], [line("get", "pods")], [line("get", "pods")]),
        ([line("get", "pods")], [line("get", "pods", names="a")], []),
        ([line("get", "pods")], [line("get", "pods", group="apps")], [line("get", "pods", group="apps")]),
        ([line("get", urls="/x/*")], [line("get", urls="/x/y")], []),
        ([line("get", urls="/x")], [line("get", urls="/x/y")], [line("get", urls="/x/y")]),
        ([line("*", "*", group="*")], [line("get", urls="/x")], [line("get", urls="/x")]),
    ],
)
def test_what_is_not_covered(owned: list[PolicyRule], given: list[PolicyRule], missing: list[PolicyRule]):
    assert escalation.uncovered(owned, given) == missing


WORDS = " ".join(f"w{number}" for number in range(1000))


def test_a_rule_of_a_billion_parts_is_not_taken_apart():
    huge = line(WORDS, WORDS, group=WORDS)
    assert escalation.uncovered([line("*", "*", group="*")], [huge]) == []
    assert escalation.uncovered([line("get", "pods"), huge], [huge, line("get", "pods")]) == []
    assert len(escalation.uncovered([line("get", "pods")], [huge])) < 10_000
    with pytest.raises(escalation.TooLarge):
        escalation.uncovered([line(WORDS, "*", group="w0"), line(WORDS, "*", group=WORDS, names="a")], [huge])


def test_a_rule_of_a_billion_parts_is_not_spread_out():
    grants = Grants([Grant("a", line(WORDS, WORDS, group=WORDS))], ())
    assert grants.source(Attributes("w1", "w2", "w3")) == "a"
    assert grants.source(Attributes("w1", "w2", "x")) is None


def test_very_many_rules_are_told_in_one_pass():
    """Each compared with each would be a billion comparisons."""
    facts = Facts()
    facts.role("r", *(line("get", "pods", names=f"p{number}") for number in range(40_000)))
    facts.bind("b", "ClusterRole/r", ("User", "jane"))
    assert len(rules_for(JANE, "ns", facts)[0]) == 40_000


def test_what_is_said_of_it():
    missing = escalation.uncovered([], [line("get list", "pods services", names=""), line("get", urls="/x")])
    assert escalation.message(JANE, missing) == (
        'user "jane" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}\n'
        '{APIGroups:[""], Resources:["services"], Verbs:["get" "list"]}\n'
        '{NonResourceURLs:["/x"], Verbs:["get"]}'
    )


# nodes


def objects() -> Any:
    """A pod of n1 that uses a claim, whose volume is v, and claims made for it alone; n1's attachment and slice, and n2's."""
    devices = (kinds.VOLUME_ATTACHMENT, kinds.RESOURCE_SLICE)
    found = {kind: Kept(kind) for kind in (kinds.POD, kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME, *devices)}

    def put(kind: Any, key: str, spec: Any, status: Any = None) -> None:
        namespace, _, name = key.rpartition("/")
        meta = {"name": name, "namespace": namespace}
        body = {
            "kind": kind.name,
            "apiVersion": kind.api_version,
            "metadata": meta,
            "spec": spec,
            "status": status or {},
        }
        found[kind].apply(key, json.dumps(body, separators=(",", ":")).encode(), None, 1)

    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "e", "ephemeral": {}}]
    given = [{"name": "a", "resourceClaimName": "shared"}, {"name": "b", "resourceClaimTemplateName": "t"}]
    made = {
        "resourceClaimStatuses": [{"name": "b", "resourceClaimName": "p-b-x"}],
        "extendedResourceClaimStatus": {"resourceClaimName": "p-gpu"},
    }
    pod = {"nodeName": "n1", "volumes": volumes, "serviceAccountName": "robot", "resourceClaims": given}
    put(kinds.POD, "ns/p", pod, made)
    for node in ("n1", "n2"):
        for kind in devices:
            put(kind, f"of-{node}", {"nodeName": node})
    put(kinds.PERSISTENT_VOLUME_CLAIM, "ns/c", {"volumeName": "u"})  # which is another's
    put(kinds.PERSISTENT_VOLUME_CLAIM, "ns/d", {"volumeName": "w"})
    for volume, claim in (("u", "x"), ("v", "c"), ("w", "d")):
        csi = {"nodeStageSecretRef": {"name": f"key-of-{volume}", "namespace": "keys"}}
        csi["nodePublishSecretRef"] = {"name": f"pass-of-{volume}", "namespace": ""}
        csi["controllerPublishSecretRef"] = {"name": "master", "namespace": "keys"}
        put(kinds.PERSISTENT_VOLUME, volume, {"claimRef": {"namespace": "ns", "name": claim}, "csi": csi})

    class Found:
        resources = found

    return Found


NOT_RELATED = "no relationship found between node 'n1' and this object"
NO_SELECTOR = "can only list/watch/deletecollection resourceslices with nodeName field selector"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Attributes("get", "", "persistentvolumeclaims", "", "ns", "c"), None),
        (Attributes("get", "", "persistentvolumeclaims", "", "ns", "d"), NOT_RELATED),
        (Attributes("list", "", "persistentvolumeclaims", "", "ns"), ""),
        (Attributes("get", "", "persistentvolumes", "", "", "v"), None),
        (Attributes("get", "", "secrets", "", "keys", "key-of-v"), None),
        (Attributes("get", "", "secrets", "", "ns", "pass-of-v"), None),
        (Attributes("get", "", "secrets", "", "ns", "key-of-v"), NOT_RELATED),
        (Attributes("get", "", "secrets", "", "keys", "key-of-w"), NOT_RELATED),
        (Attributes("get", "", "secrets", "", "keys", "master"), NOT_RELATED),
        (Attributes("get", "", "persistentvolumes", "", "", "u"), NOT_RELATED),
        (Attributes("get", "", "persistentvolumes", "", "", "w"), NOT_RELATED),
        (Attributes("get", "", "persistentvolumes", "", "", "x"), NOT_RELATED),
        (Attributes("create", "", "serviceaccounts", "token", "ns", "robot"), None),
        (Attributes("create", "", "serviceaccounts", "token", "ns", "other"), NOT_RELATED),
        (Attributes("list", "", "secrets", "", "ns"), "No Object name found"),
        (Attributes("get", "", "secrets", "", "", "s"), "can only read namespaced object of this type"),
        (Attributes("update", "storage.k8s.io", "csinodes", "", "", "n1"), None),
        (
            Attributes("update", "storage.k8s.io", "csinodes", "", "", "n2"),
            "can only access CSINode with the same name as the requesting node",
        ),
        (Attributes("get", path="/metrics"), ""),
        (Attributes("get", "", "persistentvolumeclaims", "", "ns", "p-e"), None),
        (Attributes("get", "", "persistentvolumeclaims", "", "ns", "q-e"), NOT_RELATED),
        (Attributes("get", "", "persistentvolumeclaims", "status", "ns", "c"), None),
        (Attributes("get", "resource.k8s.io", "resourceclaims", "", "ns", "shared"), None),
        (Attributes("get", "resource.k8s.io", "resourceclaims", "", "ns", "p-b-x"), None),
        (Attributes("get", "resource.k8s.io", "resourceclaims", "", "ns", "p-gpu"), None),
        (Attributes("get", "resource.k8s.io", "resourceclaims", "", "ns", "t"), NOT_RELATED),
        (Attributes("list", "resource.k8s.io", "resourceclaims", "", "ns"), ""),
        (Attributes("get", "storage.k8s.io", "volumeattachments", "", "", "of-n1"), None),
        (Attributes("get", "storage.k8s.io", "volumeattachments", "", "", "of-n2"), NOT_RELATED),
        (Attributes("get", "storage.k8s.io", "volumeattachments", "", "", "none"), NOT_RELATED),
        (Attributes("create", "resource.k8s.io", "resourceslices"), None),
        (Attributes("delete", "resource.k8s.io", "resourceslices", "", "", "of-n1"), None),
        (Attributes("update", "resource.k8s.io", "resourceslices", "", "", "of-n2"), NOT_RELATED),
        (Attributes("deletecollection", "resource.k8s.io", "resourceslices", fields="spec.nodeName=n1"), None),
        (Attributes("deletecollection", "resource.k8s.io", "resourceslices", fields="spec.nodeName=n2"), NO_SELECTOR),
        (Attributes("list", "resource.k8s.io", "resourceslices"), NO_SELECTOR),
    ],
)
def test_what_a_node_may_touch(asked: Attributes, answer: str | None):
    assert node_access.judge("n1", asked, objects()) == answer


def test_a_node_may_have_roles_as_well():
    facts = Facts(*GIVEN)
    facts.cache = objects()
    node = User("system:node:n1", ("system:nodes", AUTHENTICATED))
    asked = Attributes("get", "", "persistentvolumes", "", "", "w")
    assert decide(node, asked, facts) == (False, NOT_RELATED)
    facts.role("r", line("get", "persistentvolumes"))
    facts.bind("b", "ClusterRole/r", ("Group", "system:nodes"))
    assert decide(node, asked, facts).allowed
