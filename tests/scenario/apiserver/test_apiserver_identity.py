"""Tokens, reviews, roles and acting as others, by real requests."""

import asyncio
import base64
import json
import re
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from api import codec, kinds, protobuf
from api.authentication_v1 import TokenRequest
from api.core_v1 import Secret, ServiceAccount
from api.meta_v1 import ObjectMeta
from client.client import Client
from kit.http.model import Peer
from tests.scenario.apiserver.apiserver_requests import Sent
from tests.scenario.apiserver.conftest import Cluster
from tests.scenario.apiserver.test_apiserver_fuzz import ADMIN, ask
from tests.unit.api import protobuf_writer

NS = "default"
JSON = "application/json"
ACCOUNT = kinds.SERVICE_ACCOUNT.path(NS, "robot")
JANE = Peer("jane", ("devs",))
ISSUER = "https://kubernetes.default.svc.cluster.local"
ROBOT = "system:serviceaccount:default:robot"


@pytest.fixture
async def admin(cluster: Cluster) -> Client:
    made = cluster.server.client("admin", "system:masters")
    await made.create(kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=ObjectMeta(name="robot", namespace=NS)))
    return made


class Caller:
    """Sends requests through the network's door as one user."""

    def __init__(self, cluster: Cluster, peer: Peer | None = ADMIN, **headers: str) -> None:
        self._door = cluster.server.handler
        self._peer = peer
        self._headers = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        lines = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        code, answer, _ = await ask(self._door, Sent(method, path, list(lines.items()), data), self._peer)
        return code, msgspec.json.decode(answer) if answer.startswith(b"{") else answer

    async def token(self, **spec: Any) -> str:
        code, answer = await self("POST", f"{ACCOUNT}/token", {"spec": spec})
        assert code == 201, answer
        return answer["status"]["token"]


def bearer(cluster: Cluster, token: str, **headers: str) -> Caller:
    return Caller(cluster, None, authorization=f"Bearer {token}", **headers)


def claims(token: str) -> dict[str, Any]:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


async def bound_pod(cluster: Cluster, admin: Client, node: str = "", account: str = "robot") -> str:
    """A pod of the account, perhaps on a node; its uid."""
    containers = [{"name": "c", "image": "i"}]
    spec = {"serviceAccountName": account, "containers": containers} | ({"nodeName": node} if node else {})
    pod = codec.decode(kinds.POD, json.dumps({"metadata": {"name": "p", "namespace": NS}, "spec": spec}).encode())
    return (await admin.create(kinds.POD, pod)).metadata.uid


# tokens


async def test_a_token_and_what_it_says(cluster: Cluster, admin: Client):
    code, answer = await Caller(cluster)("POST", f"{ACCOUNT}/token", {})
    assert code == 201
    account = await admin.get(kinds.SERVICE_ACCOUNT, "robot", NS)
    meta = answer["metadata"]
    assert (answer["kind"], answer["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert (meta["name"], meta["namespace"], meta["uid"]) == ("robot", NS, account.metadata.uid)
    assert answer["spec"] == {"audiences": [ISSUER], "expirationSeconds": 3600, "boundObjectRef": None}
    said = claims(answer["status"]["token"])
    assert (said["iss"], said["aud"], said["sub"]) == (ISSUER, [ISSUER], ROBOT)
    assert said["exp"] - said["iat"] == 3600
    assert said["kubernetes.io"] == {
        "namespace": NS,
        "serviceaccount": {"name": "robot", "uid": account.metadata.uid},
    }


async def test_a_token_of_a_pod_names_its_node(cluster: Cluster, admin: Client):
    uid = await bound_pod(cluster, admin, "n1")
    ref = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": uid}
    code, answer = await Caller(cluster)(
        "POST", f"{ACCOUNT}/token", {"spec": {"expirationSeconds": 3607, "boundObjectRef": ref}}
    )
    assert code == 201
    said = claims(answer["status"]["token"])
    assert said["exp"] - said["iat"] == 365 * 24 * 3600
    about = said["kubernetes.io"]
    assert (about["pod"], about["node"]) == ({"name": "p", "uid": uid}, {"name": "n1"})
    assert about["warnafter"] - said["iat"] == 3607
    assert answer["spec"]["expirationSeconds"] == 3607
    _, who = await bearer(cluster, answer["status"]["token"])(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}
    )
    assert who["status"]["userInfo"]["extra"] == {
        "authentication.kubernetes.io/credential-id": [f"JTI={said['jti']}"],
        "authentication.kubernetes.io/node-name": ["n1"],
        "authentication.kubernetes.io/pod-name": ["p"],
        "authentication.kubernetes.io/pod-uid": [uid],
    }


OTHER_UID = "The object might have been deleted and then recreated"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"spec": {"expirationSeconds": 599}}, 422, "may not specify a duration less than 10 minutes"),
        ({"spec": {"expirationSeconds": 2**32 + 1}}, 422, "may not specify a duration larger than 2^32 seconds"),
        ({"spec": {"expirationSeconds": 2**32}}, 201, ""),
        ({"metadata": {"name": "x"}}, 422, "metadata.name: Invalid value: "),
        ({"metadata": {"namespace": "x"}}, 422, "must match the service account namespace if specified"),
        (
            {"metadata": {"uid": "x"}},
            409,
            "the UID in the token request (x) does not match the UID of the service account",
        ),
        ({"kind": "TokenReview"}, 400, "TokenRequest"),
        ({"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "x"}}}, 404, 'pods "x" not found'),
        ({"spec": {"boundObjectRef": {"kind": "Pod", "name": "p", "uid": "x"}}}, 409, OTHER_UID),
        ({"spec": {"boundObjectRef": {"kind": "Node", "name": "x"}}}, 404, 'nodes "x" not found'),
        ({"spec": {"boundObjectRef": {"kind": "Secret", "name": "x"}}}, 404, 'secrets "x" not found'),
        (
            {"spec": {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            {"spec": {"boundObjectRef": {"kind": "Pod", "apiVersion": "apps/v1", "name": "p"}}},
            400,
            "cannot bind token to object of type apps/v1, Kind=Pod",
        ),
        ({"spec": {"audiences": ["a", "b"]}}, 201, ""),
        ({"spec": 7}, 400, ""),
    ],
)
async def test_requests_for_tokens(cluster: Cluster, admin: Client, body: Any, code: int, message: str):
    await bound_pod(cluster, admin)
    got, answer = await Caller(cluster)("POST", f"{ACCOUNT}/token", body)
    assert got == code, answer
    assert message in answer.get("message", "")


async def test_a_token_is_for_the_account_of_the_pod(cluster: Cluster, admin: Client):
    await bound_pod(cluster, admin, account="default")
    code, answer = await Caller(cluster)(
        "POST", f"{ACCOUNT}/token", {"spec": {"boundObjectRef": {"kind": "Pod", "name": "p"}}}
    )
    assert code == 400
    assert 'cannot bind token for serviceaccount "robot" to pod running with different' in answer["message"]
    code, answer = await Caller(cluster)("POST", kinds.SERVICE_ACCOUNT.path(NS, "nobody", "token"), {})
    assert (code, answer["message"]) == (404, 'serviceaccounts "nobody" not found')


async def test_kubectl_sends_protobuf(cluster: Cluster, admin: Client):
    request = TokenRequest()
    request.spec.audiences, request.spec.expiration_seconds = ["vault"], 700
    body = protobuf_writer.body(request)
    assert protobuf.decode(TokenRequest, body).spec.audiences == ["vault"]
    code, answer = await Caller(cluster)(
        "POST", f"{ACCOUNT}/token", body, content_type="application/vnd.kubernetes.protobuf"
    )
    assert (code, answer["spec"]["audiences"], answer["spec"]["expirationSeconds"]) == (201, ["vault"], 700)


async def test_a_bearer_is_who_his_token_says(cluster: Cluster, admin: Client):
    caller = bearer(cluster, await Caller(cluster).token())
    code, answer = await caller("GET", kinds.POD.path(NS))
    assert code == 403
    assert answer["message"] == (
        f'pods is forbidden: User "{ROBOT}" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert (await caller("GET", "/openid/v1/jwks"))[0] == 200
    assert (await Caller(cluster, JANE)("GET", "/openid/v1/jwks"))[0] == 403
    await admin.delete(kinds.SERVICE_ACCOUNT, "robot", NS)
    code, answer = await caller("GET", "/version")
    assert (code, answer["reason"], answer["message"]) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize("token", ["x", "a.b.c", "abcdef.0123456789abcdef", "é"])
async def test_a_bad_token_is_refused_even_where_anybody_may_go(cluster: Cluster, token: str):
    assert (await bearer(cluster, token)("GET", "/version"))[0] == 401
    assert (await Caller(cluster, None)("GET", "/version"))[0] == 200


async def test_a_certificate_counts_before_a_token(cluster: Cluster):
    code, answer = await Caller(cluster, ADMIN, authorization="Bearer x")(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}
    )
    assert (code, answer["status"]["userInfo"]["username"]) == (201, "admin")


async def test_tokens_for_others_are_of_no_use_here(cluster: Cluster, admin: Client):
    assert (await bearer(cluster, await Caller(cluster).token(audiences=["vault"]))("GET", "/version"))[0] == 401


async def test_a_bootstrap_token_is_a_secret(cluster: Cluster, admin: Client):
    words = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"}
    secret = Secret(
        metadata=ObjectMeta(name="bootstrap-token-abcdef", namespace="kube-system"),
        type="bootstrap.kubernetes.io/token",
        data={name: word.encode() for name, word in words.items()},
    )
    await admin.create(kinds.SECRET, secret)
    _, answer = await bearer(cluster, "abcdef.0123456789abcdef")(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}
    )
    assert answer["status"]["userInfo"] == {
        "username": "system:bootstrap:abcdef",
        "groups": ["system:bootstrappers", "system:authenticated"],
    }
    await admin.delete(kinds.SECRET, "bootstrap-token-abcdef", "kube-system")
    assert (await bearer(cluster, "abcdef.0123456789abcdef")("GET", "/version"))[0] == 401


# what a node may have


async def test_a_node_gets_tokens_of_its_pods_alone(cluster: Cluster, admin: Client):
    node = Caller(cluster, Peer("system:node:n1", ("system:nodes",)))
    code, answer = await node("POST", f"{ACCOUNT}/token", {})
    assert (code, "no relationship found between node 'n1' and this object" in answer["message"]) == (403, True)
    uid = await bound_pod(cluster, admin, "n1")
    ref = {"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": uid}
    cases = [
        ({}, 403, "node requested token not bound to a pod"),
        ({"boundObjectRef": ref | {"kind": "Secret"}}, 403, "node requested token not bound to a pod"),
        ({"boundObjectRef": ref | {"uid": ""}}, 403, "a pod binding without a uid"),
        ({"boundObjectRef": ref | {"uid": "x"}}, 403, OTHER_UID),
        ({"boundObjectRef": ref | {"name": "x"}}, 404, 'pods "x" not found'),
        ({"boundObjectRef": ref, "audiences": ["a", "b"]}, 403, "node may only request 0 or 1 audiences"),
        ({"boundObjectRef": ref, "audiences": ["vault"]}, 403, 'audience "vault" not found in pod spec volume'),
        ({"boundObjectRef": ref}, 201, ""),
    ]
    for spec, wanted, message in cases:
        code, answer = await node("POST", f"{ACCOUNT}/token", {"spec": spec})
        assert code == wanted, answer
        assert message in answer.get("message", "")
    other = Caller(cluster, Peer("system:node:n2", ("system:nodes",)))
    assert (await other("POST", f"{ACCOUNT}/token", {"spec": {"boundObjectRef": ref}}))[0] == 403


# reviews

AUTHN, AUTHZ = "/apis/authentication.k8s.io/v1", "/apis/authorization.k8s.io/v1"


async def test_a_stolen_node_is_no_other_node(cluster: Cluster, admin: Client):
    """Nor may it write more of its pods' claims than a node has to tell."""
    thief = Caller(cluster, Peer("system:node:n1", ("system:nodes",)))
    csi_node = {"metadata": {"name": "n2"}, "spec": {"drivers": []}}
    code, answer = await thief("POST", kinds.CSI_NODE.path(), csi_node)
    assert (code, "can only access CSINode" in answer["message"]) == (403, True)
    csi_node["metadata"]["name"] = "n1"
    assert (await thief("POST", kinds.CSI_NODE.path(), csi_node))[0] == 201
    for signer in ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"):
        code, answer = await thief("POST", kinds.CERTIFICATE_SIGNING_REQUEST.path(), node_request("n2", signer))
        assert (code, "can only create a node CSR with CN=system:node:n1" in answer["message"]) == (403, True)
        code, answer = await thief("POST", kinds.CERTIFICATE_SIGNING_REQUEST.path(), node_request("n1", signer))
        assert code == 201, answer

    master = Caller(cluster)
    claim = {
        "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    code, answer = await master("POST", kinds.PERSISTENT_VOLUME_CLAIM.path(NS), claim)
    assert code == 201, answer
    spec = {
        "nodeName": "n1",
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}],
    }
    code, answer = await master("POST", kinds.POD.path(NS), {"metadata": {"name": "user"}, "spec": spec})
    assert code == 201, answer
    path = kinds.PERSISTENT_VOLUME_CLAIM.path(NS, "c", "status")
    for patch in ({"status": {"phase": "Lost"}}, {"metadata": {"labels": {"a": "b"}}}):
        code, answer = await thief("PATCH", path, patch, content_type="application/merge-patch+json")
        assert (code, "is not allowed to update fields other than" in answer.get("message", "")) == (403, True), answer
    grown = {"status": {"capacity": {"storage": "2Gi"}}}
    code, answer = await thief("PATCH", path, grown, content_type="application/merge-patch+json")
    assert code == 200, answer


async def test_a_node_tells_of_its_own_devices(cluster: Cluster, admin: Client):
    """A kubelet removes what it told of before, each time it starts; and no node gives its pods claims of others."""
    node, master = Caller(cluster, Peer("system:node:n1", ("system:nodes",))), Caller(cluster)

    def devices(name: str) -> dict[str, Any]:
        pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
        return {"metadata": {"name": name}, "spec": {"driver": "d.example.com", "pool": pool, "nodeName": name}}

    path = kinds.RESOURCE_SLICE.path()
    code, answer = await node("POST", path, devices("n2"))
    assert (code, "can only create ResourceSlice with the same NodeName" in answer["message"]) == (403, True)
    for name, caller in (("n1", node), ("n2", master)):
        code, answer = await caller("POST", path, devices(name))
        assert code == 201, answer
    assert (await node("DELETE", path))[0] == 403
    assert (await node("DELETE", f"{path}?fieldSelector=spec.nodeName%3Dn2"))[0] == 403
    assert (await node("DELETE", f"{path}?fieldSelector=spec.nodeName%3Dn1"))[0] == 200
    assert [one["metadata"]["name"] for one in (await master("GET", path))[1]["items"]] == ["n2"]

    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
    spec["resourceClaims"] = [{"name": "d", "resourceClaimTemplateName": "t"}]
    code, answer = await master("POST", kinds.POD.path(NS), {"metadata": {"name": "devices"}, "spec": spec})
    assert code == 201, answer
    stolen = {"status": {"resourceClaimStatuses": [{"name": "d", "resourceClaimName": "another"}]}}
    path = kinds.POD.path(NS, "devices", "status")
    code, answer = await node("PATCH", path, stolen, content_type="application/merge-patch+json")
    assert (code, "cannot update resource claim statuses" in answer["message"]) == (403, True)


def node_request(node: str, signer: str) -> dict[str, Any]:
    """For a certificate of a node."""
    names = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{node}")]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in names])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if "serving" in signer:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(node)]), critical=False)
    pem = made.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)
    usages = ["digital signature", "server auth" if "serving" in signer else "client auth"]
    spec = {"request": base64.b64encode(pem).decode(), "signerName": signer, "usages": usages}
    return {"metadata": {"generateName": "r-"}, "spec": spec}


async def test_reviews_of_tokens(cluster: Cluster, admin: Client):
    caller = Caller(cluster)

    async def review(**spec: Any) -> Any:
        code, answer = await caller("POST", f"{AUTHN}/tokenreviews", {"spec": spec})
        assert code == 201
        return answer["status"]

    token = await caller.token(audiences=["vault", ISSUER])
    found = await review(token=token)
    assert (found["authenticated"], found["user"]["username"], found["audiences"]) == (True, ROBOT, [ISSUER])
    assert (await review(token=token, audiences=["vault", "x"]))["audiences"] == ["vault"]
    refused = await review(token=token, audiences=["x"])
    assert "authenticated" not in refused
    assert refused["user"] == {}
    assert "is invalid for the target audiences" in refused["error"]
    assert (await review(token="x"))["error"] == "invalid bearer token"
    await admin.delete(kinds.SERVICE_ACCOUNT, "robot", NS)
    assert (await review(token=token))["error"] == 'serviceaccounts "robot" not found'
    code, answer = await caller("POST", f"{AUTHN}/tokenreviews", {"spec": {}})
    assert (code, answer["message"]) == (400, "token is required for TokenReview in authentication")
    assert (await Caller(cluster, JANE)("POST", f"{AUTHN}/tokenreviews", {"spec": {"token": "x"}}))[0] == 403


PODS = {"verb": "list", "resource": "pods", "namespace": NS}


@pytest.mark.parametrize(
    ("spec", "allowed"),
    [
        ({"user": "x", "groups": ["system:masters"], "resourceAttributes": PODS}, True),
        ({"user": "system:kube-scheduler", "resourceAttributes": PODS}, True),
        ({"user": "x", "resourceAttributes": PODS}, False),
        ({"groups": ["system:masters"], "nonResourceAttributes": {"verb": "get", "path": "/x"}}, True),
        ({"user": "x", "nonResourceAttributes": {"verb": "get", "path": "/metrics"}}, False),
        ({"groups": ["system:authenticated"], "nonResourceAttributes": {"verb": "get", "path": "/api"}}, True),
        ({"user": "system:node:n1", "groups": ["system:nodes"], "resourceAttributes": PODS}, False),
        (
            {
                "user": "system:node:n1",
                "groups": ["system:nodes"],
                "resourceAttributes": PODS | {"fieldSelector": {"rawSelector": "spec.nodeName=n1"}},
            },
            True,
        ),
        (
            {
                "user": "system:node:n1",
                "groups": ["system:nodes"],
                "resourceAttributes": PODS
                | {
                    "fieldSelector": {
                        "requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n1"]}],
                    }
                },
            },
            True,
        ),
    ],
)
async def test_reviews_of_others(cluster: Cluster, spec: dict[str, Any], allowed: bool):
    code, answer = await Caller(cluster)("POST", f"{AUTHZ}/subjectaccessreviews", {"spec": spec})
    assert (code, answer["status"]["allowed"]) == (201, allowed), answer
    assert answer["spec"]["user"] == spec["user"] if "user" in spec else "user" not in answer["spec"]
    if "resourceAttributes" in spec:
        path = f"{AUTHZ}/namespaces/{NS}/localsubjectaccessreviews"
        code, answer = await Caller(cluster)("POST", path, {"spec": spec})
        assert (code, answer["status"]["allowed"], answer["metadata"]["namespace"]) == (201, allowed, NS)


BOTH = {"resourceAttributes": PODS, "nonResourceAttributes": {"verb": "get", "path": "/x"}}
LOCAL, SELF = "localsubjectaccessreviews", "selfsubjectaccessreviews"
FIELD = "spec.resourceAttributes.fieldSelector"


@pytest.mark.parametrize(
    ("what", "body", "field", "message"),
    [
        ("subjectaccessreviews", {"spec": {"resourceAttributes": PODS}}, "spec.user", "at least one of user or group"),
        ("subjectaccessreviews", {"spec": {"user": "x"}}, "spec.resourceAttributes", "exactly one of"),
        ("subjectaccessreviews", {"spec": {"user": "x", **BOTH}}, "spec.nonResourceAttributes", "in combination with"),
        (
            "subjectaccessreviews",
            {"metadata": {"name": "a"}, "spec": {"user": "x", "resourceAttributes": PODS}},
            "metadata",
            "must be empty",
        ),
        (SELF, {"spec": {}}, "spec.resourceAttributes", "exactly one of"),
        (SELF, {"spec": BOTH}, "spec.nonResourceAttributes", "in combination with"),
        (SELF, {"metadata": {"labels": {"a": "b"}}, "spec": {"resourceAttributes": PODS}}, "metadata", "must be empty"),
        (
            SELF,
            {"spec": {"resourceAttributes": PODS | {"fieldSelector": {}}}},
            f"{FIELD}.requirements",
            "requirements or rawSelector is required",
        ),
        (
            SELF,
            {
                "spec": {
                    "resourceAttributes": PODS
                    | {"fieldSelector": {"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]}}
                }
            },
            f"{FIELD}.rawSelector",
            "may not specified at the same time as requirements",
        ),
        (
            LOCAL,
            {"spec": {"user": "x", "resourceAttributes": PODS | {"namespace": "other"}}},
            "spec.resourceAttributes.namespace",
            "must match metadata.namespace",
        ),
        (
            LOCAL,
            {"spec": {"user": "x", "nonResourceAttributes": {"verb": "get", "path": "/x"}}},
            "spec.nonResourceAttributes",
            "disallowed on this kind of request",
        ),
    ],
)
async def test_reviews_that_make_no_sense(cluster: Cluster, what: str, body: Any, field: str, message: str):
    where = f"{AUTHZ}/namespaces/{NS}" if what == LOCAL else AUTHZ
    code, answer = await Caller(cluster)("POST", f"{where}/{what}", body)
    assert (code, answer["reason"]) == (422, "Invalid"), answer
    (cause,) = answer["details"]["causes"]
    assert cause["field"] == field
    assert message in cause["message"]


async def test_reviews_of_oneself(cluster: Cluster):
    jane = Caller(cluster, JANE)
    code, answer = await jane("POST", f"{AUTHZ}/{SELF}", {"spec": {"resourceAttributes": PODS}})
    assert (code, answer["status"]) == (201, {"allowed": False})
    code, answer = await jane("POST", f"{AUTHN}/selfsubjectreviews", {})
    assert answer["status"]["userInfo"] == {"username": "jane", "groups": ["devs", "system:authenticated"]}
    code, answer = await jane("POST", f"{AUTHZ}/selfsubjectrulesreviews", {"spec": {}})
    assert (code, answer["message"]) == (400, "no namespace on request")
    assert (await Caller(cluster, None)("POST", f"{AUTHN}/selfsubjectreviews", {}))[0] == 403


async def test_unreadable_selectors_of_reviews_are_told(cluster: Cluster):
    asked = PODS | {"fieldSelector": {"rawSelector": "=="}, "labelSelector": {"rawSelector": "("}}
    _, answer = await Caller(cluster)("POST", f"{AUTHZ}/{SELF}", {"spec": {"resourceAttributes": asked}})
    assert answer["status"]["allowed"] is True
    assert answer["status"]["evaluationError"] == (
        f"{FIELD} ignored due to parse error; spec.resourceAttributes.labelSelector ignored due to parse error"
    )


TABLE = f"{JSON};as=Table;v=v1;g=meta.k8s.io"


async def test_what_is_not_kept_has_no_columns(cluster: Cluster):
    caller, body = Caller(cluster), {"spec": {"resourceAttributes": PODS}}
    code, answer = await caller("POST", f"{AUTHZ}/{SELF}", body, accept=TABLE)
    assert (code, answer["reason"]) == (406, "NotAcceptable")
    code, answer = await caller("POST", f"{AUTHZ}/{SELF}", body, accept=f"{TABLE},{JSON}")
    assert (code, answer["kind"]) == (201, "SelfSubjectAccessReview")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_reviews_can_only_be_made(cluster: Cluster, method: str):
    assert (await Caller(cluster)(method, f"{AUTHZ}/{SELF}", {}))[0] == 405
    assert (await Caller(cluster)(method, f"{AUTHZ}/{SELF}/x", {}))[0] == 405


# the order of refusals


@pytest.mark.parametrize(
    ("method", "path", "codes"),
    [
        ("GET", "/api/v1/nopes", (404, 403, 403, 401)),
        ("GET", "/apis/nope.io/v1/namespaces/default/nopes/x", (404, 403, 403, 401)),
        ("PUT", "/api/v1/pods", (405, 403, 403, 401)),
        ("GET", f"{ACCOUNT}/nope", (404, 403, 403, 401)),
        ("GET", "/nope", (404, 403, 403, 401)),
        ("GET", "/api/v1/pods", (200, 403, 403, 401)),
        ("GET", "/apis/nope.io/v1", (404, 404, 403, 401)),
        ("GET", "/version", (200, 200, 200, 401)),
    ],
)
async def test_who_may_not_do_it_is_not_told_whether_it_is_there(cluster: Cluster, method: str, path: str, codes: Any):
    callers = (Caller(cluster), Caller(cluster, JANE), Caller(cluster, None), bearer(cluster, "bad"))
    assert tuple([(await caller(method, path))[0] for caller in callers]) == codes


# acting as others


async def test_acting_as_somebody_else(cluster: Cluster):
    caller = Caller(cluster, impersonate_user="jane", impersonate_group="devs", impersonate_extra_a="b")
    _, answer = await caller("POST", f"{AUTHN}/selfsubjectreviews", {})
    assert answer["status"]["userInfo"] == {
        "username": "jane",
        "groups": ["devs", "system:authenticated"],
        "extra": {"a": ["b"]},
    }
    code, answer = await caller("GET", kinds.POD.path(NS))
    assert (code, 'User "jane" cannot list resource "pods"' in answer["message"]) == (403, True)
    code, answer = await Caller(cluster, impersonate_group="devs")("GET", kinds.POD.path(NS))
    assert (code, answer["reason"]) == (400, "BadRequest")
    code, answer = await Caller(cluster, JANE, impersonate_user="admin", impersonate_group="system:masters")(
        "GET", kinds.POD.path(NS)
    )
    assert (code, 'User "jane" cannot impersonate' in answer["message"]) == (403, True)
    assert (await bearer(cluster, "bad", impersonate_user="jane")("GET", "/version"))[0] == 401


# roles

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES, BINDINGS = f"{RBAC}/namespaces/{NS}/roles", f"{RBAC}/namespaces/{NS}/rolebindings"
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}


def binding(name: str, user: str, role: str, kind: str = "Role") -> dict[str, Any]:
    subjects = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {"metadata": {"name": name}, "subjects": subjects, "roleRef": ref}


async def test_roles_count_from_the_moment_they_are_written(cluster: Cluster):
    admin, jane = Caller(cluster), Caller(cluster, JANE)
    assert (await admin("POST", ROLES, {"metadata": {"name": "r"}, "rules": [READ_PODS]}))[0] == 201
    assert (await admin("POST", BINDINGS, binding("b", "jane", "r")))[0] == 201
    assert (await jane("GET", kinds.POD.path(NS)))[0] == 200
    assert (await jane("GET", kinds.POD.path(NS, "x")))[0] == 404
    assert (await jane("GET", kinds.POD.path("kube-system")))[0] == 403
    assert (await jane("GET", kinds.POD.path()))[0] == 403
    _, answer = await jane("POST", f"{AUTHZ}/{SELF}", {"spec": {"resourceAttributes": PODS}})
    assert answer["status"]["reason"] == 'RBAC: allowed by RoleBinding "b/default" of Role "r" to User "jane"'
    _, answer = await jane("POST", f"{AUTHZ}/selfsubjectrulesreviews", {"spec": {"namespace": NS}})
    assert READ_PODS in answer["status"]["resourceRules"]
    assert (await admin("DELETE", f"{ROLES}/r"))[0] == 200
    code, answer = await jane("GET", kinds.POD.path(NS))
    assert code == 403
    assert answer["message"].endswith(': RBAC: role.rbac.authorization.k8s.io "r" not found')


async def test_nobody_gives_away_more_than_he_has(cluster: Cluster):
    admin, jane = Caller(cluster), Caller(cluster, JANE)
    rules = [
        READ_PODS,
        {"apiGroups": ["*"], "resources": ["roles", "rolebindings"], "verbs": ["create", "update", "patch"]},
    ]
    await admin("POST", ROLES, {"metadata": {"name": "own"}, "rules": rules})
    await admin("POST", BINDINGS, binding("b", "jane", "own"))
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    assert (await jane("POST", ROLES, {"metadata": {"name": "less"}, "rules": [READ_PODS]}))[0] == 201
    code, answer = await jane("POST", ROLES, {"metadata": {"name": "more"}, "rules": [READ_PODS, secrets]})
    assert code == 403
    assert answer["message"] == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["devs" "system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}'
    )
    assert (await jane("PUT", f"{ROLES}/less", {"metadata": {"name": "less"}, "rules": [secrets]}))[0] == 403
    assert (await jane("POST", BINDINGS, binding("c", "joe", "less")))[0] == 201
    assert (await jane("POST", BINDINGS, binding("d", "joe", "cluster-admin", "ClusterRole")))[0] == 403
    assert (await jane("POST", BINDINGS, binding("e", "joe", "gone")))[0] == 404
    may = {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "clusterroles"],
        "verbs": ["escalate", "bind"],
    }
    await admin("PUT", f"{ROLES}/own", {"metadata": {"name": "own"}, "rules": [*rules, may]})
    assert (await jane("POST", ROLES, {"metadata": {"name": "more"}, "rules": [secrets]}))[0] == 201
    assert (await jane("POST", BINDINGS, binding("d", "joe", "cluster-admin", "ClusterRole")))[0] == 201


async def test_who_may_only_update_makes_nothing(cluster: Cluster):
    """A PUT or an applied patch would make what is not there."""
    admin, jane = Caller(cluster), Caller(cluster, JANE)
    rule = {
        "apiGroups": ["", "coordination.k8s.io"],
        "resources": ["leases", "configmaps"],
        "verbs": ["update", "patch"],
    }
    await admin("POST", ROLES, {"metadata": {"name": "own"}, "rules": [rule]})
    await admin("POST", BINDINGS, binding("b", "jane", "own"))
    lease = {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 5}}
    code, answer = await jane("PUT", kinds.LEASE.path(NS, "l"), lease)
    assert (code, 'User "jane" cannot create resource "leases"' in answer["message"]) == (403, True)
    apply = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    path, media = f"{kinds.CONFIG_MAP.path(NS, 'c')}?fieldManager=m", "application/apply-patch+yaml"
    code, answer = await jane("PATCH", path, apply, content_type=media)
    assert (code, 'User "jane" cannot create resource "configmaps"' in answer["message"]) == (403, True)
    more = rule | {"verbs": ["create", "update", "patch"]}
    await admin("PUT", f"{ROLES}/own", {"metadata": {"name": "own"}, "rules": [more]})
    assert (await jane("PUT", kinds.LEASE.path(NS, "l"), lease))[0] == 201
    assert (await jane("PATCH", path, apply, content_type=media))[0] == 201


async def test_a_role_that_gathers_others_is_for_those_who_may_do_everything(cluster: Cluster):
    admin, jane = Caller(cluster), Caller(cluster, JANE)
    rule = {"apiGroups": ["*"], "resources": ["clusterroles"], "verbs": ["create"]}
    await admin("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "own"}, "rules": [rule]})
    await admin("POST", f"{RBAC}/clusterrolebindings", binding("b", "jane", "own", "ClusterRole"))
    gathers = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    body = {"metadata": {"name": "all"}, "rules": [], "aggregationRule": gathers}
    code, answer = await jane("POST", f"{RBAC}/clusterroles", body)
    assert (code, "must have cluster-admin privileges to use the aggregationRule" in answer["message"]) == (403, True)
    assert (await admin("POST", f"{RBAC}/clusterroles", body))[0] == 201


# certificates

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


def signing_request(signer: str) -> dict[str, Any]:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    built = x509.CertificateSigningRequestBuilder().subject_name(name)
    pem = built.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)
    spec = {"signerName": signer, "usages": ["client auth"], "request": base64.b64encode(pem).decode()}
    return {"metadata": {"name": "r"}, "spec": spec | {"username": "root", "groups": ["system:masters"]}}


async def test_a_request_says_who_made_it(cluster: Cluster):
    admin, jane = Caller(cluster), Caller(cluster, JANE)
    verbs = {"apiGroups": ["certificates.k8s.io"], "resources": ["*"], "verbs": ["create", "update", "get"]}
    await admin("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "own"}, "rules": [verbs]})
    await admin("POST", f"{RBAC}/clusterrolebindings", binding("b", "jane", "own", "ClusterRole"))
    code, made = await jane("POST", REQUESTS, signing_request("example.com/x"))
    assert code == 201, made
    assert (made["spec"]["username"], made["spec"]["groups"]) == ("jane", ["devs", "system:authenticated"])
    made["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "x"}]}
    code, answer = await jane("PUT", f"{REQUESTS}/r/approval", made)
    assert code == 403
    assert 'user not permitted to approve requests with signerName "example.com/x"' in answer["message"]
    signers = {
        "apiGroups": ["certificates.k8s.io"],
        "resources": ["signers"],
        "resourceNames": ["example.com/*"],
        "verbs": ["approve"],
    }
    await admin("PUT", f"{RBAC}/clusterroles/own", {"metadata": {"name": "own"}, "rules": [verbs, signers]})
    code, made = await jane("PUT", f"{REQUESTS}/r/approval", made)
    assert code == 200, made
    made["status"]["certificate"] = base64.b64encode(cluster.ca.cert).decode()
    code, answer = await jane("PUT", f"{REQUESTS}/r/status", made)
    assert (code, "user not permitted to sign requests" in answer["message"]) == (403, True)
    assert (await admin("PUT", f"{REQUESTS}/r/status", made))[0] == 200


async def test_who_may_say_whom_a_signer_is_trusted_by(cluster: Cluster):
    admin, jane = Caller(cluster), Caller(cluster, JANE)
    path = "/apis/certificates.k8s.io/v1beta1/clustertrustbundles"
    verbs = {"apiGroups": ["certificates.k8s.io"], "resources": ["clustertrustbundles"], "verbs": ["*"]}
    await admin("POST", f"{RBAC}/clusterroles", {"metadata": {"name": "trust"}, "rules": [verbs]})
    await admin("POST", f"{RBAC}/clusterrolebindings", binding("t", "jane", "trust", "ClusterRole"))
    text = cluster.ca.cert.decode()
    body = {"metadata": {"name": "example.com:x:v1"}, "spec": {"signerName": "example.com/x", "trustBundle": text}}
    code, answer = await jane("POST", path, body)
    assert code == 403 and 'user not permitted to attest for signerName "example.com/x"' in answer["message"]
    assert (await jane("POST", path, {"metadata": {"name": "own"}, "spec": {"trustBundle": text}}))[0] == 201
    code, made = await admin("POST", path, body)
    assert code == 201, made
    made["metadata"]["finalizers"] = ["example.com/hold"]
    code, made = await jane("PUT", f"{path}/example.com:x:v1", made)
    assert code == 200, made
    made["metadata"]["labels"] = {"a": "b"}
    assert (await jane("PUT", f"{path}/example.com:x:v1", made))[0] == 403
    code, found = await jane("GET", f"{path}?fieldSelector=spec.signerName%3Dexample.com%2Fx")
    assert [one["metadata"]["name"] for one in found["items"]] == ["example.com:x:v1"]


# tokens of Secrets


async def test_the_day_on_which_an_old_token_was_last_used(cluster: Cluster, admin: Client):
    uid = (await admin.get(kinds.SERVICE_ACCOUNT, "robot", NS)).metadata.uid
    prefix = "kubernetes.io/serviceaccount/"
    said = {
        "iss": "kubernetes/serviceaccount",
        "sub": ROBOT,
        f"{prefix}namespace": NS,
        f"{prefix}secret.name": "old",
        f"{prefix}service-account.name": "robot",
        f"{prefix}service-account.uid": uid,
    }
    issuer = cluster.server.core.issuer
    assert issuer is not None
    token = issuer._key.sign(json.dumps(said).encode())
    meta = ObjectMeta(name="old", namespace=NS, annotations={"kubernetes.io/service-account.name": "robot"})
    kind = "kubernetes.io/service-account-token"
    await admin.create(kinds.SECRET, Secret(metadata=meta, type=kind, data={"token": token.encode()}))
    robot = bearer(cluster, token)
    assert (await robot("GET", "/api"))[0] == 200

    async def label() -> str:
        async with asyncio.timeout(120):
            while not (found := (await admin.get(kinds.SECRET, "old", NS)).metadata.labels):
                await asyncio.sleep(0.01)
            return found["kubernetes.io/legacy-token-last-used"]

    assert re.fullmatch(r"\d{4}-\d\d-\d\d", await label())
    written = (await admin.get(kinds.SECRET, "old", NS)).metadata.resource_version
    assert (await robot("GET", "/api"))[0] == 200
    old = {"resourceVersion": written, "labels": {"kubernetes.io/legacy-token-last-used": "2020-01-01"}}
    await admin.patch(kinds.SECRET, "old", {"metadata": old}, NS)  # nobody has written it again: that is once a day
    review = {"spec": {"token": token}}
    assert (await Caller(cluster)("POST", kinds.TOKEN_REVIEW.path(), review))[1]["status"]["authenticated"]
    while await label() == "2020-01-01":
        await asyncio.sleep(0.01)


# health


async def test_strangers_are_not_told_what_is_wrong(cluster: Cluster):
    cluster.server.pages.check("store", lambda: "cannot reach 10.1.2.3:2379")
    stranger, monitor = Caller(cluster, None), Caller(cluster, Peer("m", ("system:monitoring",)))
    code, answer = await stranger("GET", "/readyz?verbose")
    assert (code, b"[-]store failed: reason withheld" in answer, b"10.1.2.3" in answer) == (500, True, False)
    code, answer = await monitor("GET", "/readyz/store")
    assert (code, b"internal server error: cannot reach 10.1.2.3:2379" in answer) == (500, True)
