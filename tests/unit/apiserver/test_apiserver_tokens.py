"""Whose a bearer token is, as long as what it stands for is there."""

import base64
import json
from typing import Any

import pytest

from api import kinds, times
from api.kinds import Kind
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.call import User
from controlplane.apiserver.identity import bearer, token_file
from controlplane.apiserver.identity.accounts import AUTOMATIC, AccountTokens
from controlplane.apiserver.identity.bootstrap_tokens import BootstrapTokens
from controlplane.apiserver.identity.claims import Asked, Bound, Ref
from controlplane.apiserver.identity.issuer import Issuer
from controlplane.apiserver.identity.signing import SigningKey, encode64
from controlplane.apiserver.identity.token_file import FileTokens, TokenFileError
from controlplane.apiserver.identity.tokens import BearerTokens
from controlplane.apiserver.identity.verdicts import INVALID, Verdict
from kit import pki
from kit.clock import FakeClock

KEY = SigningKey(pki.make_key())
ISSUER = Issuer("https://i", ("api",), KEY)
NOW = 1_800_000_000.0
AUTHENTICATED = "system:authenticated"


class Objects:
    """A cache that tests write to."""

    def __init__(self) -> None:
        stored = (kinds.SERVICE_ACCOUNT, kinds.POD, kinds.SECRET, kinds.NODE)
        self.resources: dict[Kind[Any], Kept] = {kind: Kept(kind) for kind in stored}
        self._revision = 0

    def put(self, kind: Kind[Any], key: str, uid: str = "", deleted: float = 0, **more: Any) -> None:
        namespace, _, name = key.rpartition("/")
        meta = {"name": name, "namespace": namespace, "uid": uid, **more.pop("metadata", {})}
        if deleted:
            meta["deletionTimestamp"] = times.format_time(deleted)
        self._revision += 1
        body = {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta, **more}
        data = json.dumps(body, separators=(",", ":")).encode()
        self.resources[kind].apply(key, data, None, self._revision)

    def drop(self, kind: Kind[Any], key: str) -> None:
        self._revision += 1
        kept = self.resources[kind]
        entry = kept.entries[key]
        kept.apply(key, None, kept._splicer.unsplice(entry), self._revision)


@pytest.fixture
def objects() -> Objects:
    made = Objects()
    made.put(kinds.SERVICE_ACCOUNT, "ns/robot", "u1")
    made.put(kinds.POD, "ns/p", "u2", spec={})
    made.put(kinds.SECRET, "ns/s", "u3")
    made.put(kinds.NODE, "n", "u4")
    return made


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def accounts(objects: Objects, clock: FakeClock) -> AccountTokens:
    return AccountTokens(objects, clock, "https://i", ("api",), (KEY.public,))


def token(bound: Bound = Bound(), audiences: tuple[str, ...] = ("api",), seconds: int = 3600) -> str:
    return ISSUER.issue(Asked("ns", Ref("robot", "u1"), bound, audiences, seconds), "j", NOW)


POD, NODE, SECRET = Ref("p", "u2"), Ref("n", "u4"), Ref("s", "u3")
ROBOT = Asked("ns", Ref("robot", "u1"), Bound(), ("api",), 600)
PREFIX = "authentication.kubernetes.io/"


@pytest.mark.parametrize(
    ("bound", "extra"),
    [
        (Bound(), {}),
        (Bound(secret=SECRET), {}),
        (Bound(node=NODE), {"node-name": "n", "node-uid": "u4"}),
        (Bound(pod=POD), {"pod-name": "p", "pod-uid": "u2"}),
        (Bound(pod=POD, node=NODE), {"pod-name": "p", "pod-uid": "u2", "node-name": "n", "node-uid": "u4"}),
        (Bound(pod=POD, node=Ref("gone")), {"pod-name": "p", "pod-uid": "u2", "node-name": "gone"}),
    ],
)
def test_who_a_service_account_is(accounts: AccountTokens, bound: Bound, extra: dict[str, str]):
    verdict = accounts.review(token(bound))
    assert verdict is not None
    user = verdict.user
    assert user is not None
    assert (user.name, user.uid) == ("system:serviceaccount:ns:robot", "u1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED)
    wanted = {f"{PREFIX}{key}": (value,) for key, value in (extra | {"credential-id": "JTI=j"}).items()}
    assert dict(user.extra) == wanted
    assert verdict.audiences == ("api",)
    assert accounts.review(token(bound)) == verdict


INVALIDATED = "service account token has been invalidated"


@pytest.mark.parametrize(
    ("bound", "kind", "key", "uid", "gone", "other"),
    [
        (
            Bound(),
            kinds.SERVICE_ACCOUNT,
            "ns/robot",
            "u1",
            'serviceaccounts "robot" not found',
            "service account UID (x) does not match claim (u1)",
        ),
        (
            Bound(pod=POD, node=NODE),
            kinds.POD,
            "ns/p",
            "u2",
            INVALIDATED,
            "pod UID (x) does not match service account pod ref claim (u2)",
        ),
        (
            Bound(secret=SECRET),
            kinds.SECRET,
            "ns/s",
            "u3",
            INVALIDATED,
            "secret UID (x) does not match service account secret ref claim (u3)",
        ),
        (
            Bound(node=NODE),
            kinds.NODE,
            "n",
            "u4",
            INVALIDATED,
            "node UID (x) does not match service account node ref claim (u4)",
        ),
    ],
)
async def test_a_token_ends_with_what_it_is_bound_to(
    accounts: AccountTokens, objects: Objects, clock: FakeClock, bound, kind, key, uid, gone, other
):
    mine = token(bound)
    assert accounts.review(mine).user is not None
    objects.drop(kind, key)
    assert (accounts.review(mine).user, accounts.review(mine).error) == (None, gone)
    objects.put(kind, key, "x", spec={})
    assert accounts.review(mine).error == other
    objects.put(kind, key, uid, deleted=NOW - 59, spec={})
    assert accounts.review(mine).user is not None, "it is only just being deleted"
    await clock.advance(10)
    deleted = "service account ns/robot has been deleted" if kind is kinds.SERVICE_ACCOUNT else INVALIDATED
    assert accounts.review(mine).error == deleted


def test_the_node_of_a_bound_pod_may_go(accounts: AccountTokens, objects: Objects):
    mine = token(Bound(pod=POD, node=NODE))
    objects.drop(kinds.NODE, "n")
    assert accounts.review(mine).user is not None


async def test_time_and_audience_are_asked_again(accounts: AccountTokens, clock: FakeClock):
    mine = token(seconds=600)
    assert accounts.review(mine).user is not None
    assert "is invalid for the target audiences" in accounts.review(mine, ("other",)).error
    both = token(audiences=("api", "vault"))
    assert accounts.review(both, ("vault",)).audiences == ("vault",)
    assert "is invalid" in accounts.review(token(audiences=("vault",))).error
    await clock.advance(661)
    assert accounts.review(mine).error == "service account token has expired"


def test_tokens_of_others_are_left_to_others(accounts: AccountTokens, clock: FakeClock):
    stranger = Issuer("https://other", ("api",), KEY).issue(ROBOT, "j", NOW)
    assert accounts.review(stranger) is None
    assert accounts.review("abcdef.0123456789abcdef") is None
    forger = Issuer("https://i", ("api",), SigningKey(pki.make_key()))
    forged = forger.issue(ROBOT, "j", NOW)
    assert accounts.review(forged).user is None
    assert "invalid signature" in accounts.review(forged).error


LEGACY = {
    "iss": "kubernetes/serviceaccount",
    "kubernetes.io/serviceaccount/namespace": "ns",
    "kubernetes.io/serviceaccount/secret.name": "old",
    "kubernetes.io/serviceaccount/service-account.name": "robot",
    "kubernetes.io/serviceaccount/service-account.uid": "u1",
    "sub": "system:serviceaccount:ns:robot",
}


def test_tokens_of_secrets(accounts: AccountTokens, objects: Objects):
    mine = KEY.sign(json.dumps(LEGACY).encode())
    assert accounts.review(mine).error == "Token has been invalidated"
    data = {"token": base64.b64encode(mine.encode()).decode()}
    objects.put(kinds.SECRET, "ns/old", "u9", data=data)
    verdict = accounts.review(mine)
    assert (verdict.user.name, verdict.audiences, verdict.user.extra) == (LEGACY["sub"], ("api",), ())
    assert accounts.review(mine, ("other",)).user is None
    objects.put(kinds.SECRET, "ns/old", "u9", data={"token": "eHh4"})
    assert accounts.review(mine).error == "Token does not match server's copy"
    objects.put(
        kinds.SECRET,
        "ns/old",
        "u9",
        data=data,
        metadata={"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}},
    )
    assert "has been marked invalid" in accounts.review(mine).error
    objects.put(kinds.SECRET, "ns/old", "u9", deleted=NOW + 9, data=data)
    assert accounts.review(mine).error == "Token has been invalidated"
    objects.put(kinds.SECRET, "ns/old", "u9", data=data)
    objects.put(kinds.SERVICE_ACCOUNT, "ns/robot", "u8")
    assert accounts.review(mine).error == "ServiceAccount UID (u8) does not match claim (u1)"


def test_who_uses_an_old_token_is_told_and_noted(objects: Objects, clock: FakeClock):
    noted = []
    accounts = AccountTokens(objects, clock, "https://i", ("api",), (KEY.public,), lambda *use: noted.append(use))
    mine = KEY.sign(json.dumps(LEGACY).encode())
    data = {"token": base64.b64encode(mine.encode()).decode()}
    objects.put(kinds.SECRET, "ns/old", "u9", data={"token": "eHh4"})
    assert accounts.review(mine).error and not noted, "it was not this token"
    objects.put(kinds.SECRET, "ns/old", "u9", data=data)
    assert accounts.review(mine).warning == ""
    objects.put(kinds.SERVICE_ACCOUNT, "ns/robot", "u1", secrets=[{"name": "else"}, {"name": "old"}])
    assert accounts.review(mine).warning == AUTOMATIC
    labels = {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}
    objects.put(kinds.SECRET, "ns/old", "u9", data=data, metadata={"labels": labels})
    assert "has been marked invalid" in accounts.review(mine).error
    assert noted == [("ns", "old", "u9", {})] * 2 + [("ns", "old", "u9", labels)], "also when it is good for nothing"
    assert accounts.review(token()).user is not None and len(noted) == 3


@pytest.mark.parametrize("missing", [name for name in LEGACY if name != "iss"])
def test_old_tokens_must_say_everything(accounts: AccountTokens, missing: str):
    mine = KEY.sign(json.dumps({**LEGACY, missing: ""}).encode())
    assert "claim is missing" in accounts.review(mine).error
    other = KEY.sign(json.dumps({**LEGACY, "sub": "system:serviceaccount:ns:other"}).encode())
    assert accounts.review(other).error == "sub claim is invalid"


# bootstrap tokens

GOOD = {
    "token-id": "abcdef",
    "token-secret": "0123456789abcdef",
    "usage-bootstrap-authentication": "true",
    "auth-extra-groups": "system:bootstrappers:b,system:bootstrappers:a",
    "expiration": times.format_time(NOW + 10),
}
TYPE = "bootstrap.kubernetes.io/token"


def bootstrap(
    objects: Objects, clock: FakeClock, type_: str = TYPE, deleted: float = 0, **data: str | None
) -> User | None:
    coded = {
        name: base64.b64encode(value.encode()).decode()
        for name, value in {**GOOD, **{key.replace("_", "-"): value for key, value in data.items()}}.items()
        if value is not None
    }
    objects.put(kinds.SECRET, "kube-system/bootstrap-token-abcdef", "u", deleted, type=type_, data=coded)
    verdict = BootstrapTokens(objects, clock, ("api",)).review("abcdef.0123456789abcdef")
    return verdict.user if verdict is not None else None


def test_a_bootstrap_token_names_a_bootstrapper(objects: Objects, clock: FakeClock):
    user = bootstrap(objects, clock)
    groups = ("system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:b", AUTHENTICATED)
    assert user == User("system:bootstrap:abcdef", groups)
    assert bootstrap(objects, clock, expiration=None) == user
    assert bootstrap(objects, clock, auth_extra_groups=None).groups == ("system:bootstrappers", AUTHENTICATED)


@pytest.mark.parametrize(
    "change",
    [
        {"token_secret": "0123456789abcdeg"},
        {"token_secret": None},
        {"token_id": "abcdeg"},
        {"usage_bootstrap_authentication": "false"},
        {"usage_bootstrap_authentication": None},
        {"expiration": times.format_time(NOW - 1)},
        {"expiration": "tomorrow"},
        {"auth_extra_groups": "system:masters"},
        {"auth_extra_groups": "system:bootstrappers:a,"},
        {"type_": "Opaque"},
        {"deleted": NOW},
    ],
)
def test_bootstrap_tokens_that_are_none(objects: Objects, clock: FakeClock, change: dict[str, Any]):
    assert bootstrap(objects, clock, **change) is None


def test_bootstrap_tokens_have_one_form(objects: Objects, clock: FakeClock):
    bootstrap(objects, clock)
    judge = BootstrapTokens(objects, clock, ("api",))
    assert judge.review("abcdef.0123456789abcdef") is not None
    assert judge.review("abcdef.0123456789abcdef", ("vault",)) is None
    for other in (
        "",
        "abcdef",
        "abcdef.",
        "ABCDEF.0123456789abcdef",
        "abcdef.0123456789abcdef\n",
        "aaaaaa.0123456789abcdef",
    ):
        assert judge.review(other) is None


# tokens of a file, and all together


def test_tokens_of_a_file():
    users = token_file.read(['t1,jane,7,"devs,ops"\n', "t2,joe,8\n", ",nobody,9\n", "\n", "t2,jim,8,\n"], "f")
    judge = FileTokens(users, ("api",))
    assert judge.review("t1").user == User("jane", ("devs", "ops", AUTHENTICATED), "7")
    assert judge.review("t2").user.name == "jim"
    assert judge.review("t2", ("vault",)) is None
    assert judge.review("t") is judge.review("") is None


@pytest.mark.parametrize("line", ["t,jane\n", 't,"jane,7\n'])
def test_files_that_cannot_be_read(line: str):
    with pytest.raises(TokenFileError, match="cannot use tokens.csv"):
        token_file.read([line], "tokens.csv")
    with pytest.raises(TokenFileError, match="cannot read /nowhere/tokens"):
        token_file.load("/nowhere/tokens")


def test_all_kinds_are_tried(accounts: AccountTokens, objects: Objects, clock: FakeClock):
    file = FileTokens({"t": User("jane")}, ("api",))
    bootstrap(objects, clock)
    tokens = BearerTokens([file, accounts, BootstrapTokens(objects, clock, ("api",))], ("api",))
    names = [tokens.review(one).user.name for one in ("t", token(), "abcdef.0123456789abcdef")]
    assert names == ["jane", "system:serviceaccount:ns:robot", "system:bootstrap:abcdef"]
    assert tokens.review("x") == Verdict(error=INVALID)
    objects.drop(kinds.SERVICE_ACCOUNT, "ns/robot")
    assert tokens.review(token()).error == 'serviceaccounts "robot" not found'


PROTOCOL = f"base64url.bearer.authorization.k8s.io.{encode64(b'secret')}"
SOCKET = {"upgrade": "websocket"}


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, ""),
        ({"authorization": "Bearer x"}, "x"),
        ({"authorization": "  bearer x  "}, "x"),
        ({"authorization": "Bearer x y"}, "x"),
        ({"authorization": "Bearer"}, ""),
        ({"authorization": "Bearer  x"}, ""),
        ({"authorization": "Basic eDp5"}, ""),
        ({"sec-websocket-protocol": f"v5.channel.k8s.io, {PROTOCOL}"}, ""),
        (SOCKET | {"sec-websocket-protocol": f"v5.channel.k8s.io, {PROTOCOL}"}, "secret"),
        (SOCKET | {"sec-websocket-protocol": "v5.channel.k8s.io"}, ""),
        (SOCKET | {"sec-websocket-protocol": PROTOCOL}, bearer.BROKEN),
        (SOCKET | {"sec-websocket-protocol": f"a, {PROTOCOL}, {PROTOCOL}"}, bearer.BROKEN),
        (SOCKET | {"sec-websocket-protocol": f"a, {PROTOCOL}="}, bearer.BROKEN),
    ],
)
def test_where_a_request_carries_its_token(headers: dict[str, str], found: str):
    assert bearer.token(headers) == found
