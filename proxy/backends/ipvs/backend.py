"""The IPVS backend: virtual services, the link `wherry-ipvs0` that makes their addresses this host's, chains WHERRYVS-*.

IPVS has no transactions, so the order counts. What is new is made before the rules that lead there, what goes is removed
after them. A change of endpoints alone is one or two netlink messages; rules change only with frontends and with endpoints
of this node.

The backend remembers what the kernel holds, draining destinations included. Those get no new connections, keep what they
have, and are removed when `check` finds none left. The kernel does not tell who changes IPVS: the watch asks each second
whether one of our virtual services is still there, which is enough to notice a flush.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

from linux.iptables import Iptables
from linux.ipvs import Destination, Ipvs, Service, Settings, show
from linux.links import Address, Dummy, Links, NetlinkError, NewLink, NotFound, pack, unpack
from linux.nft import Monitor
from linux.rtnl_watch import ADDRESS, LINK, LOST
from linux.rtnl_watch import Watch as NetworkWatch
from linux.sysctl import Sysctl, SysctlError
from proxy.backends.interface import BackendError, RebuildNeeded, Suspicion, Watch
from proxy.backends.iptables import IptablesBackend
from proxy.backends.ipvs.kernel import settings
from proxy.backends.ipvs.reading import read
from proxy.backends.ipvs.rules import IpvsRules
from proxy.backends.ipvs.virtuals import (
    DRAINING,
    INSIDE_MARK,
    OURS,
    Alter,
    Make,
    Marks,
    Place,
    Remove,
    Step,
    Take,
    Virtual,
    Weigh,
    is_ours,
    link_addresses,
    steps,
    swept,
    virtuals,
)
from proxy.model.addresses import refusal
from proxy.model.facts import Facts
from proxy.plan.desired import Desired
from proxy.plan.diff import Change
from proxy.plan.expected import Reading

LINK_NAME = "wherry-ipvs0"
FAMILIES = (4, 6)


class Doors(NamedTuple):
    """What the backend acts through."""

    ipvs: Ipvs
    links: Links
    iptables: Iptables
    settings: Sysctl


class IpvsBackend:
    """Programs IPVS through its door."""

    name = "ipvs"
    quick = False
    check_seconds = 60.0

    def __init__(
        self,
        doors: Doors,
        scheduler: str = "rr",
        strict_arp: bool = False,
        monitor: Callable[[], Monitor] | None = None,
        network: Callable[[], NetworkWatch] | None = None,
    ) -> None:
        self._doors = doors
        self._ipvs, self._links = doors.ipvs, doors.links
        self._scheduler = scheduler
        self._strict_arp = strict_arp
        self._marks = Marks()
        self._filter = IpvsRules(self._marks)
        self._rules = IptablesBackend(doors.iptables, monitor, self._filter)
        self._network = network
        self._families: tuple[int, ...] | None = None
        self._known: dict[Service, Virtual] | None = None  # what the kernel holds of ours
        self._draining: set[Service] = set()
        self._addresses: Counter[bytes] = Counter()
        self._listening: frozenset[bytes] = frozenset()
        self.ifindex = 0

    @property
    def variant(self) -> str:
        """Which kind of iptables it writes to."""
        return self._rules.variant

    def probe(self) -> str:
        """Why this machine cannot do it; empty if it can do at least one family."""
        reason = self._rules.probe()
        if reason:
            return reason
        reasons = {family: self._trial(family) for family in self._rules.families()}
        self._families = tuple(family for family, found in reasons.items() if not found)
        return "" if self._families else next(iter(reasons.values()))

    def _trial(self, family: int) -> str:
        trial = Service(family, mark=0xFFFF0000 | INSIDE_MARK)
        try:
            self._doors.settings.read("net.ipv4.vs.conntrack")
            if family == 6 and self._doors.settings.read("net.ipv6.conf.default.disable_ipv6") == "1":
                return "IPv6 is disabled"
            self._ipvs.remove(trial)
            self._ipvs.add(trial, Settings(self._scheduler, OURS))
            self._ipvs.remove(trial)
        except NotFound:
            return f"this kernel has no IPVS scheduler {self._scheduler} (module ip_vs_{self._scheduler})"
        except (NetlinkError, SysctlError) as error:
            return str(error)
        return ""

    def families(self) -> tuple[int, ...]:
        """The address families that the kernel can do."""
        if self._families is None:
            self.probe()
        return self._families or ()

    def replace(self, desired: Collection[Desired], facts: Facts) -> None:
        """Make the kernel hold exactly this, whatever it held; others' virtual services stay."""
        self._known = None
        families = self.families()
        with _failing("program IPVS"):
            for name, value in settings(os.uname().release, self._strict_arp).items():
                self._doors.settings.write(name, value)
            self.ifindex = self._ensure_link()
            self._filter.own = self.node_addresses()
            self._listening = self._filter.listening(facts)
            self._marks.clear()
            mine = [one for one in desired if one.family in families]
            wanted = self._virtuals(mine)
            seen = self._seen(wanted)
            self._addresses = Counter(address for one in mine for address in link_addresses(one, self._filter.own))
            here = {pack(address.ip): address for address in self._held()}
            first, last = steps(seen, wanted)
            self._act(first, seen)
            self._rules.replace(mine, facts)
            self._add(self._addresses.keys() - here.keys())
            self._act(last, seen)
            for address in here.keys() - self._addresses.keys():
                self._links.remove_address(here[address])
            self._draining = {service for service, virtual in seen.items() if _drains(virtual)}
            self._sweep(self._draining, seen)
        self._known = seen

    def apply(self, changes: Sequence[Change]) -> None:
        """Make these changes to what the last `replace` and `apply` left."""
        known, self._known = self._known, None
        if known is None:
            raise RebuildNeeded("cannot change the virtual services: their state is not known")
        families = self.families()
        mine = [change for change in changes if change.subject.family in families]
        before = self._virtuals(change.old for change in mine if change.old is not None)
        after = self._virtuals(change.new for change in mine if change.new is not None)
        touched = before.keys() | after.keys()
        with _failing("program IPVS"):
            first, last = steps({service: known[service] for service in touched if service in known}, after)
            new, gone = self._count(mine)
            self._act(first, known)
            self._rules.apply(mine)
            self._add(new)
            self._act(last, known)
            for address in gone:
                self._links.remove_address(self._address(address))
            drains = {service for service in touched if service in known and _drains(known[service])}
            self._draining = (self._draining - touched) | drains
            self._sweep(drains, known)
        self._known = known

    def _virtuals(self, desired: Iterable[Desired]) -> dict[Service, Virtual]:
        found: dict[Service, Virtual] = {}
        for one in desired:
            found |= virtuals(one, self._listening, self._scheduler, self._marks)
        return found

    def _add(self, new: Collection[bytes]) -> None:
        """Make these addresses this host's; until they are, packets to them go elsewhere."""
        for address in new:
            self._links.add_address(self._address(address))
        self._links.settle(map(unpack, new))

    def _count(self, changes: Iterable[Change]) -> tuple[list[bytes], list[bytes]]:
        """The addresses that the link gets and loses."""
        had = set(self._addresses)
        for old, new in ((change.old, change.new) for change in changes):
            self._addresses.update(link_addresses(new, self._filter.own) if new is not None else ())
            self._addresses.subtract(link_addresses(old, self._filter.own) if old is not None else ())
        self._addresses = +self._addresses
        return sorted(self._addresses.keys() - had), sorted(had - self._addresses.keys())

    def _act(self, todo: Iterable[Step], known: dict[Service, Virtual]) -> None:
        """Take these steps, and keep in mind what is there."""
        for step in todo:
            match step:
                case Make(service, found):
                    self._ipvs.add(service, found)
                    known[service] = Virtual(found, {})
                case Alter(service, found):
                    self._ipvs.change(service, found)
                    known[service] = known[service]._replace(settings=found)
                case Place(service, destination, weight):
                    self._ipvs.add_destination(service, destination, weight)
                    known[service].weights[destination] = weight
                case Weigh(service, destination, weight):
                    self._ipvs.change_destination(service, destination, weight)
                    known[service].weights[destination] = weight
                case Take(service, destination):
                    self._ipvs.remove_destination(service, destination)
                    del known[service].weights[destination]
                case Remove(service):
                    self._ipvs.remove(service)
                    del known[service]

    def _sweep(self, services: Iterable[Service], known: dict[Service, Virtual]) -> None:
        """Remove the destinations that have drained."""
        for service in list(services):
            seen = self._ipvs.destinations(service)
            self._act(swept(service, known[service], {one: found.connections for one, found in seen.items()}), known)
            if service not in known or not _drains(known[service]):
                self._draining.discard(service)

    def check(self) -> list[str]:
        """What is not as we left it; what has drained meanwhile is removed."""
        if self._known is None:
            return []
        with _failing("check IPVS"):
            found = self._differences(self._known)
            if not found:
                self._sweep(self._draining, self._known)
        return found + self._rules.check()

    def _differences(self, known: Mapping[Service, Virtual]) -> list[str]:
        found = []
        services = self._ipvs.services()
        for service, virtual in known.items():
            if services.get(service) != virtual.settings or self._weights(service) != virtual.weights:
                found.append(f"virtual service {show(service)} differs or is gone")
        ours = {service for service, seen in services.items() if is_ours(seen)}
        found += [f"virtual service {show(service)} is not ours" for service in ours - known.keys()]
        if {pack(address.ip) for address in self._held()} != set(self._addresses):
            found.append(f"the addresses of link {LINK_NAME} differ")
        if self.node_addresses() != self._filter.own:
            found.append("the node's own addresses are others now")
        return found

    def read(self) -> Reading:
        """What the kernel holds now."""
        seen = self._seen()
        readings = [read(family, self._rules.saved(family), seen, self._listening) for family in self.families()]
        frontends = {slot: frontend for reading in readings for slot, frontend in reading.frontends.items()}
        cluster_ips = frozenset[bytes]().union(*(reading.cluster_ips for reading in readings))
        return Reading(frontends, cluster_ips, frozenset[bytes]().union(*(reading.here for reading in readings)))

    def cleanup(self) -> list[str]:
        """Remove our virtual services, the link and the rules."""
        self._known = None
        removed = self.cleanup_rules()
        with _failing("clean up IPVS"):
            ours = [service for service, seen in self._ipvs.services().items() if is_ours(seen)]
            for service in ours:
                self._ipvs.remove(service)
            if ours:
                removed.append(f"{len(ours)} IPVS virtual services")
            if self._links.remove(LINK_NAME):
                removed.append(f"link {LINK_NAME}")
        return removed

    def cleanup_rules(self) -> list[str]:
        """Remove the rules alone."""
        return self._rules.cleanup()

    def rule_counts(self) -> Mapping[tuple[str, int], int]:
        """Rules of ours by table and family."""
        return self._rules.rule_counts()

    def written(self) -> Mapping[tuple[str, int], int]:
        """Rules in what was last written."""
        return self._rules.written()

    def watch(self) -> Watch | None:
        """Hears of others' changes."""
        return _IpvsWatch(self, self._rules.watch(), self._network() if self._network is not None else None)

    def flushed(self) -> bool:
        """Whether a virtual service that should be there is not: one is asked for."""
        service = next(iter(self._known), None) if self._known else None
        return service is not None and self._ipvs.find(service) is None

    def moved(self) -> bool:
        """Whether the node has other addresses now."""
        return self._known is not None and self.node_addresses() != self._filter.own

    def close(self) -> None:
        """Give the sockets back; all that was made stays."""
        self._ipvs.close()
        self._links.close()

    def node_addresses(self) -> frozenset[bytes]:
        """The addresses on which node ports answer."""
        found = (pack(address.ip) for address in self._links.addresses() if address.ifindex != self.ifindex)
        return frozenset(address for address in found if not refusal(address))

    def _held(self) -> list[Address]:
        found = self._links.addresses(self.ifindex)
        return [address for address in found if not refusal(pack(address.ip))]  # the kernel gives it one for the link

    def _address(self, address: bytes) -> Address:
        return Address(self.ifindex, unpack(address), len(address) * 8)

    def _seen(self, wanted: Collection[Service] = ()) -> dict[Service, Virtual]:
        """The virtual services that are ours, and those that stand where ours are wanted."""
        return {
            service: Virtual(found, self._weights(service))
            for service, found in self._ipvs.services().items()
            if is_ours(found) or service in wanted
        }

    def _weights(self, service: Service) -> dict[Destination, int]:
        return {one: seen.weight for one, seen in self._ipvs.destinations(service).items()}

    def _ensure_link(self) -> int:
        link = self._links.find(LINK_NAME)
        if link is None:
            self._links.add(NewLink(LINK_NAME, Dummy(), up=True))
            link = self._links.find(LINK_NAME)
        assert link is not None
        return link.ifindex


def _drains(virtual: Virtual) -> bool:
    return DRAINING in virtual.weights.values()


@contextmanager
def _failing(what: str) -> Iterator[None]:
    try:
        yield
    except (NetlinkError, SysctlError) as error:
        raise BackendError(f"cannot {what}: {error}") from error


class _IpvsWatch:
    """Listens to the rules' watch and to the network, and asks IPVS; is asked itself each second."""

    def __init__(self, backend: IpvsBackend, rules: Watch | None, network: NetworkWatch | None) -> None:
        self._backend = backend
        self._rules = rules
        self._network = network

    def fileno(self) -> int:
        """There is no one thing to wait on."""
        return -1

    def suspicion(self) -> Suspicion:
        """What happened since the last call."""
        news = self._network.read() if self._network is not None else []
        link_gone = any(one.kind == LINK and one.gone and one.ifindex == self._backend.ifindex for one in news)
        addresses = any(one.kind in (ADDRESS, LOST) and one.ifindex != self._backend.ifindex for one in news)
        heard = self._rules.suspicion() if self._rules is not None else Suspicion.NONE
        if link_gone or (addresses and self._backend.moved()) or self._backend.flushed():
            return Suspicion.DAMAGED
        return heard

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Around a big change of our own."""
        with self._rules.quiet() if self._rules is not None else nullcontext():
            yield

    def close(self) -> None:
        """Stop listening."""
        for one in (self._rules, self._network):
            if one is not None:
                one.close()
