"""Who is selected by what, kept up to date change by change; and what must be written again after a change. Pure.

A `Who` (pods by labels, in a namespace or in some) is worked out once, however many policies name it, and kept: a pod that
changes is compared with each Who, a policy that changes brings only its own. What the kernel has follows from three things,
and a change names those that it touches in `dirty`:

    sets       addresses of a Who, or its ports of one name
    policies   the rules of a policy in one direction
    pods       which policies isolate a pod of this node

The addresses of this node's pods are known from the runtime's requests before the API server is told of them: `attach`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from api.selectors import EVERYTHING, Selector
from cni.pods import PodInterface
from cni.policy.attachments import Attachments, same_pod
from cni.policy.objects import DIRECTIONS, EGRESS, INGRESS, Block, NamedPort, PodFacts, PolicyFacts, Ports, Who

EVERYBODY = Who("", "", "")


class AddressSet(NamedTuple):
    """The addresses of all pods of a Who."""

    who: Who


class PortSet(NamedTuple):
    """A port by its name, as each pod of a Who has it."""

    who: Who
    protocol: int
    name: str


PodSet = AddressSet | PortSet


class Match(NamedTuple):
    """What one rule in the kernel allows. None: anybody, any port."""

    peer: AddressSet | Block | None
    port: Ports | PortSet | None


@dataclass
class Dirty:
    """What must be written again."""

    sets: set[PodSet] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.sets or self.policies or self.pods)


class _Group:
    """A Who, worked out."""

    def __init__(self, who: Who, namespaces: Selector, pods: Selector) -> None:
        self.who = who
        self.namespaces = namespaces
        self.pods = pods
        self.members: set[str] = set()
        self.users = 0


class Ledger:
    """See the module."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.pods: dict[str, PodFacts] = {}
        self.policies: dict[str, PolicyFacts] = {}
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self.sets: Counter[PodSet] = Counter()
        self.dirty = Dirty()
        self._attachments = Attachments()
        self._groups: dict[Who, _Group] = {}
        self._sets_of: dict[Who, set[PodSet]] = {}
        self._subjects: dict[Who, set[str]] = {}
        self._isolating: dict[str, set[str]] = {}

    # --- what happens

    def on_pod(self, key: str, new: PodFacts | None) -> None:
        """A pod was added, changed or removed."""
        old = self.pods.get(key)
        if old == new:
            return
        before, ours = self.ips(key), self.local(key)
        if new is None:
            del self.pods[key]
        else:
            self.pods[key] = new
        if new is None or (old is not None and old.uid != new.uid):
            self._attachments.end(key)
        self._place(key, new)
        self._moved(key, before, ours)

    def on_namespace(self, name: str, new: Mapping[str, str] | None) -> None:
        """A namespace was added, changed or removed."""
        if self.namespaces.get(name) == new:
            return
        if new is None:
            self.namespaces.pop(name, None)
        else:
            self.namespaces[name] = new
        groups = [group for who, group in self._groups.items() if not who.namespace and who.namespaces]
        if groups:
            for key, pod in self.pods.items():
                if pod.namespace == name:
                    self._place(key, pod, groups)

    def on_policy(self, key: str, new: PolicyFacts | None) -> None:
        """A policy was added, changed or removed."""
        old = self.policies.get(key)
        if old == new:
            return
        if new is None:
            self.policies.pop(key, None)
        else:
            self.policies[key] = new
            self._use(new)  # before the old one goes: what both name stays worked out
        if old is not None:
            self._drop(old)
        self.dirty.policies.add(key)

    def attach(self, interface: PodInterface, ips: tuple[bytes, ...]) -> None:
        """An interface of a pod of this node has got these addresses, and nobody else here has them any more."""
        before = {key: self.ips(key) for key in (*self._attachments.holders(ips), interface.pod)}
        self._attachments.give(interface, ips)
        for key, had in before.items():
            if key not in self.pods:
                self._attachments.end(key)
            self._moved(key, had)

    def detach(self, interface: PodInterface, ips: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """An interface goes, with these addresses; those and what else was its, also if its pod is over or gone."""
        before = self.ips(interface.pod)
        gone = tuple(dict.fromkeys((*self._attachments.take(interface), *ips)))
        if self._is(interface):
            self._attachments.lose(interface.pod, gone)
        self._moved(interface.pod, before)
        return gone

    # --- what is so

    def ips(self, key: str) -> tuple[bytes, ...]:
        """The addresses of a pod: of ours what the runtime said last, before what its status says."""
        pod = self.pods.get(key)
        if pod is None or pod.apart:
            return ()
        return self._attachments.ips(key, pod.uid, pod.ips) if pod.node == self.node else pod.ips

    def local(self, key: str) -> bool:
        """Whether a pod is on this node."""
        return key in self.pods and self.pods[key].node == self.node

    def attached(self, key: str) -> bool:
        """Whether the runtime has told of the addresses of a pod."""
        return key in self.pods and self._attachments.known(key, self.pods[key].uid)

    def speaks_for(self, interface: PodInterface) -> bool:
        """Whether the pod of an interface is known, and to be here."""
        return self.local(interface.pod) and self._is(interface)

    def _is(self, interface: PodInterface) -> bool:
        """Whether the pod that is known is the interface's, and not one of the same name before or after it."""
        return interface.pod in self.pods and same_pod(self.pods[interface.pod].uid, interface.uid)

    def isolation(self, key: str) -> dict[str, tuple[str, ...]]:
        """By direction, the policies that isolate a pod."""
        found = sorted(self._isolating.get(key, ()))
        by = {way: tuple(one for one in found if way in self.policies[one].rules) for way in DIRECTIONS}
        return {way: policies for way, policies in by.items() if policies}

    def members(self, who: Who) -> Iterable[str]:
        """The pods of a Who."""
        return self._groups[who].members

    def matches(self, key: str, direction: str) -> Iterator[Match]:
        """What a policy allows in a direction."""
        facts = self.policies[key]
        for rule in facts.rules.get(direction, ()):
            for peer in (None,) if rule.peers is None else rule.peers:
                for port in (None,) if rule.ports is None else rule.ports:
                    match = _match(facts, direction, peer, port)
                    if match is not None:
                        yield match

    def take(self) -> Dirty:
        """What must be written again since the last time."""
        taken, self.dirty = self.dirty, Dirty()
        return taken

    # --- how that is kept

    def _moved(self, key: str, before: tuple[bytes, ...], ours: bool = True) -> None:
        after = self.ips(key)
        if ours or self.local(key):
            self.dirty.pods.add(key)
        if before != after:
            for group in self._groups.values():
                if key in group.members:
                    self.dirty.sets |= self._sets_of.get(group.who, set())

    def _place(self, key: str, pod: PodFacts | None, groups: Iterable[_Group] | None = None) -> None:
        """Put a pod into the groups that it belongs to, and out of others."""
        for group in self._groups.values() if groups is None else groups:
            belongs = pod is not None and not pod.apart and self._belongs(group, pod)
            if not belongs and key not in group.members:
                continue
            self.dirty.sets |= self._sets_of.get(group.who, set())  # also when it stays: its ports may have changed
            if belongs and key not in group.members:
                group.members.add(key)
                self._isolate(key, self._subjects.get(group.who, ()), True)
            elif not belongs:
                group.members.discard(key)
                self._isolate(key, self._subjects.get(group.who, ()), False)

    def _belongs(self, group: _Group, pod: PodFacts) -> bool:
        if group.who.namespace:
            return pod.namespace == group.who.namespace and group.pods.matches(pod.labels)
        if group.who.namespaces:
            labels = self.namespaces.get(pod.namespace)  # unknown ones are in no group: `notin` would take them in
            if labels is None or not group.namespaces.matches(labels):
                return False
        return group.pods.matches(pod.labels)

    def _isolate(self, key: str, policies: Iterable[str], on: bool) -> None:
        known = self._isolating.setdefault(key, set())
        for policy in policies:
            if on:
                known.add(policy)
            else:
                known.discard(policy)
        if not known:
            del self._isolating[key]
        if self.local(key):
            self.dirty.pods.add(key)

    def _use(self, facts: PolicyFacts) -> None:
        group = self._group(facts.subject, facts.selectors)
        self._subjects.setdefault(facts.subject, set()).add(facts.key)
        for key in group.members:
            self._isolate(key, (facts.key,), True)
        for one in _sets(facts):
            self._group(one.who, facts.selectors)
            self.sets[one] += 1
            if self.sets[one] == 1:
                self._sets_of.setdefault(one.who, set()).add(one)
                self.dirty.sets.add(one)

    def _drop(self, old: PolicyFacts) -> None:
        new = self.policies.get(old.key)
        if new is None or new.subject != old.subject:
            self._subjects[old.subject].discard(old.key)
            kept = self._groups[new.subject].members if new is not None else set()
            for key in self._groups[old.subject].members - kept:
                self._isolate(key, (old.key,), False)
        for key in self._groups[old.subject].members:  # its directions may have changed
            if self.local(key):
                self.dirty.pods.add(key)
        for one in _sets(old):
            self.sets[one] -= 1
            if not self.sets[one]:
                del self.sets[one]
                self._sets_of[one.who].discard(one)
                self.dirty.sets.add(one)
            self._release(one.who)
        self._release(old.subject)

    def _group(self, who: Who, selectors: Mapping[str, Selector]) -> _Group:
        """A group, worked out if nobody has used it before."""
        group = self._groups.get(who)
        if group is None:
            texts = (who.namespaces, who.pods)
            group = _Group(who, *(selectors[text] if text else EVERYTHING for text in texts))
            self._groups[who] = group
            pods = self.pods.items()
            group.members = {key for key, pod in pods if not pod.apart and self._belongs(group, pod)}
        group.users += 1
        return group

    def _release(self, who: Who) -> None:
        group = self._groups[who]
        group.users -= 1
        if not group.users:
            del self._groups[who]
            self._subjects.pop(who, None)
            self._sets_of.pop(who, None)


def _sets(facts: PolicyFacts) -> set[PodSet]:
    """The sets that the rules of a policy look into."""
    found: set[PodSet] = set()
    for direction, rules in facts.rules.items():
        for rule in rules:
            for peer in (None,) if rule.peers is None else rule.peers:
                for port in (None,) if rule.ports is None else rule.ports:
                    match = _match(facts, direction, peer, port)
                    found.update(one for one in match or () if isinstance(one, AddressSet | PortSet))
    return found


def _match(
    facts: PolicyFacts, direction: str, peer: Who | Block | None, port: Ports | NamedPort | None
) -> Match | None:
    """What a peer and a port of a rule come to. A name has a meaning only for pods: among addresses it is nowhere."""
    who = AddressSet(peer) if isinstance(peer, Who) else peer
    if not isinstance(port, NamedPort):
        return Match(who, port)
    if direction == INGRESS:
        return Match(who, PortSet(facts.subject, port.protocol, port.name))
    if isinstance(peer, Block):
        return None
    return Match(None, PortSet(peer or EVERYBODY, port.protocol, port.name))


__all__ = ["EGRESS", "INGRESS", "AddressSet", "Dirty", "Ledger", "Match", "PodSet", "PortSet"]
