"""The names and groups that the cluster gives to users."""

from __future__ import annotations

from api import names
from controlplane.apiserver.call import User

AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))
MASTERS, NODES = "system:masters", "system:nodes"
NODE_PREFIX = "system:node:"
ACCOUNT_PREFIX, ACCOUNTS = "system:serviceaccount:", "system:serviceaccounts"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"

Extra = tuple[tuple[str, tuple[str, ...]], ...]


def account_name(namespace: str, name: str) -> str:
    """The user that a service account is."""
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    """The groups that it is in."""
    return ACCOUNTS, f"{ACCOUNTS}:{namespace}"


def split_account(user: str) -> tuple[str, str] | None:
    """Namespace and name of the service account that a user is; None for other users."""
    if not user.startswith(ACCOUNT_PREFIX):
        return None
    namespace, colon, name = user.removeprefix(ACCOUNT_PREFIX).partition(":")
    if not colon or ":" in name or names.dns_label(namespace) or names.dns_subdomain(name):
        return None
    return namespace, name


def node_name(user: str) -> str:
    """The node that a user is by its name, "" for other users."""
    name = user.removeprefix(NODE_PREFIX) if user.startswith(NODE_PREFIX) else ""
    return "" if name and names.dns_subdomain(name) else name


def authenticated(user: User) -> User:
    """The user, with the group of all who have proved who they are."""
    if AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)


def extra_of(user: User, key: str) -> str:
    """The only value under a key of what else is known of a user; "" if there is none or more than one."""
    values = dict(user.extra).get(key, ())
    return values[0] if len(values) == 1 else ""


def info(user: User) -> dict[str, object]:
    """A user as reviews and certificate requests tell of him."""
    groups = list(user.groups) if isinstance(user.groups, tuple) else sorted(user.groups)
    return {"username": user.name, "uid": user.uid, "groups": groups, "extra": {k: list(v) for k, v in user.extra}}
