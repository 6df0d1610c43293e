"""Acting as somebody else: what the headers ask for, and who may. Pure.

There are several modes, tried in this order; the first that fits and is allowed counts, and the first refusal is told. The constrained ones
(`impersonate:MODE`, and `impersonate-on:MODE:VERB` for what is to be done) give less than the old one (`impersonate`), which is for anybody
and anything: a service account may act as the node that its pod runs on, and others as nodes, as service accounts, or as other users but
never as `system:masters`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import unquote

from api import names
from controlplane.apiserver import status
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.decisions import Facts, forbidden, require
from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    NODES,
    UNAUTHENTICATED,
    account_groups,
    extra_of,
    node_name,
    split_account,
)

PREFIX = "impersonate-"
_EXTRA = f"{PREFIX}extra-"
_GROUP = "authentication.k8s.io"
_NODE_NAME = "authentication.kubernetes.io/node-name"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom the headers name."""

    name: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def only_name(self) -> bool:
        """Whether the rest is left to the server."""
        return not (self.uid or self.groups or self.extra)


def wanted(raw_headers: Iterable[tuple[bytes, bytes]]) -> Wanted | None:
    """What the headers ask for; None if they ask for nothing. Raises StatusError for what makes no sense."""
    name = uid = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for raw_name, raw_value in raw_headers:
        header, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "replace")
        if header == f"{PREFIX}user":
            name = name or value
        elif header == f"{PREFIX}uid":
            uid = uid or value
        elif header == f"{PREFIX}group":
            groups.append(value)
        elif header.startswith(_EXTRA):
            extra.setdefault(unquote(header.removeprefix(_EXTRA)), []).append(value)
    found = Wanted(name, uid, tuple(groups), tuple((key, tuple(values)) for key, values in sorted(extra.items())))
    if name:
        return found
    if not found.only_name:
        raise status.bad_request(f"requested {_shown(found)} without impersonating a user name")
    return None


def impersonated(user: User, whom: Wanted, action: Attributes, facts: Facts) -> User:
    """The user as whom the request goes on. Raises Forbidden."""
    refusals = []
    for mode in _modes(user, whom):
        try:
            return _try(mode, user, whom, action, facts)
        except status.StatusError as error:
            refusals.append(error)
    raise refusals[0]


def _modes(user: User, whom: Wanted) -> Iterator[str]:
    """The modes that fit, most constrained first; "" is the old one."""
    node, account = node_name(whom.name), split_account(whom.name)
    if node and whom.only_name:
        if split_account(user.name) is not None and extra_of(user, _NODE_NAME) == node:
            yield "associated-node"
        yield "arbitrary-node"
    if account is not None and whom.only_name:
        yield "serviceaccount"
    if not node and account is None:
        yield "user-info"
    yield ""


def _try(mode: str, user: User, whom: Wanted, action: Attributes, facts: Facts) -> User:
    if mode:
        require(user, replace(action, verb=f"impersonate-on:{mode}:{action.verb}"), facts)
    groups = whom.groups
    for attributes in _asked(mode, whom):
        if problem := _problem(mode, whom, attributes):
            raise forbidden(user, attributes, problem)
        require(user, attributes, facts)
    if not groups and (account := split_account(whom.name)) is not None:
        groups = account_groups(account[0])
    if mode.endswith("-node"):
        groups = (NODES,)
    return User(whom.name, _completed(whom.name, groups), whom.uid, whom.extra)


def _asked(mode: str, whom: Wanted) -> Iterator[Attributes]:
    """One question for each thing that the user wants to be."""
    verb = f"impersonate:{mode}" if mode else "impersonate"
    group = _GROUP if mode else ""
    account = split_account(whom.name)
    if mode.endswith("-node"):
        # On its own node an account may act as any node that it would find itself on.
        name = "*" if mode == "associated-node" else node_name(whom.name)
        yield Attributes(verb, group, "nodes", name=name)
    elif account is not None:
        yield Attributes(verb, group, "serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(verb, group, "users", name=whom.name)
    if whom.uid:
        yield Attributes(verb, _GROUP, "uids", name=whom.uid)
    for one in whom.groups:
        yield Attributes(verb, group, "groups", name=one)
    for key, values in whom.extra:
        for value in values:
            yield Attributes(verb, _GROUP, "userextras", key, name=value)


def _problem(mode: str, whom: Wanted, asked: Attributes) -> str:
    """What no rule can allow in a constrained mode."""
    if not mode:
        return ""
    if asked.resource == "groups":
        if "" in whom.groups:
            return "impersonating the empty string group is not allowed"
        return "impersonating the system:masters group is not allowed" if MASTERS in whom.groups else ""
    if asked.resource == "userextras":
        return _extra_problem(asked.subresource, asked.name)
    return ""


def _extra_problem(key: str, value: str) -> str:
    if not key:
        return "impersonating the empty string key in extra is not allowed"
    domain, slash, path = key.partition("/")
    if not slash or not path or names.dns_subdomain(domain):
        return f'impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "{key}": must be a domain-prefixed path'
    return "" if value else "impersonating the empty string value in extra is not allowed"


def _completed(name: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """With the group of all who are known, or of those who are not."""
    if name == ANONYMOUS.name:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    if UNAUTHENTICATED in groups or AUTHENTICATED in groups:
        return groups
    return (*groups, AUTHENTICATED)


def _shown(whom: Wanted) -> str:
    extra = {key: list(values) for key, values in whom.extra}
    return f"uid {whom.uid!r}, groups {list(whom.groups)}, extra {extra}"
