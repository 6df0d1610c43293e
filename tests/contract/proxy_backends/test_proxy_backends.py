"""One suite for every proxy backend: after each change what is read back equals the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import pytest

from linux import netns, process
from linux.iptables import LEGACY, NFT, FakeIptables, Iptables, Programs
from linux.ipvs import Kernel as IpvsKernel
from linux.ipvs_fake import FakeIpvs
from linux.links import Address, LinkChange
from linux.links_fake import FakeNetworks
from linux.nft import FakeKernel, Kernel
from linux.nft import Monitor as NftMonitor
from linux.rtnl import RtnlLinks
from linux.rtnl_watch import Watch as NetworkWatch
from linux.sysctl import FakeSysctl, ProcSysctl
from proxy.backends.interface import Backend, BackendError, RebuildNeeded, Suspicion
from proxy.backends.iptables import IptablesBackend
from proxy.backends.ipvs import Doors, IpvsBackend
from proxy.backends.nftables import NftablesBackend
from proxy.model.addresses import IPV4, PROTOCOL_NAMES, TCP, show
from proxy.plan.desired import Desired, Frontend, Route
from proxy.plan.diff import Change
from proxy.plan.expected import expected_reading
from tests.contract.proxy_backends import churn

FACTS = churn.FACTS


@dataclass
class Bed:
    """A backend, and what a careless administrator does to it."""

    backend: Backend
    flush: Callable[[], object]
    steps: int
    again: Callable[[], Backend]  # the same kernel, another process


def flush_nft() -> None:
    process.run(["nft", "flush", "ruleset"])


def flush_iptables(variant: str) -> None:
    for program in ("iptables", "ip6tables"):
        for table in ("nat", "filter"):
            process.run([f"{program}-{variant}", "-t", table, "-F"])


@contextmanager
def namespace() -> Iterator[None]:
    """The calling thread in a network namespace of its own."""
    path = f"/run/netns/px-{os.getpid()}-backend"
    netns.create(path)
    fd = netns.open_path(path)
    try:
        with netns.inside(fd):
            yield
    finally:
        os.close(fd)
        netns.remove(path)


def fake_iptables_bed() -> Bed:
    door = FakeIptables()
    return Bed(IptablesBackend(door), door.flush, 150, lambda: IptablesBackend(door))


def fake_nft_bed() -> Bed:
    door = FakeKernel()
    return Bed(NftablesBackend(door), door.flush, 300, lambda: NftablesBackend(door))


def iptables_bed(variant: str) -> Bed:
    def make() -> Backend:
        return IptablesBackend(Programs(variant), NftMonitor)

    return Bed(make(), lambda: flush_iptables(variant), 25, make)


IPVS_SETTINGS = {
    "net.ipv4.vs.conntrack": "0",
    "net.ipv4.vs.expire_nodest_conn": "0",
    "net.ipv4.vs.expire_quiescent_template": "0",
    "net.ipv4.vs.conn_reuse_mode": "1",
    "net.ipv6.conf.default.disable_ipv6": "0",
}


def fake_ipvs_doors() -> Doors:
    """A node with two addresses of its own per family."""
    links = FakeNetworks().namespace()
    links.change(1, LinkChange(up=True))
    for address in ("127.0.0.1", "192.0.2.1", "192.0.2.2", "::1", "2001:db8::1", "2001:db8::2", "fe80::1"):
        links.add_address(Address(1, address, 64 if ":" in address else 24))
    return Doors(FakeIpvs(), links, FakeIptables(), FakeSysctl(IPVS_SETTINGS))


def fake_ipvs_bed() -> Bed:
    doors = fake_ipvs_doors()
    assert isinstance(doors.ipvs, FakeIpvs)
    return Bed(IpvsBackend(doors), doors.ipvs.flush, 300, lambda: IpvsBackend(doors))


def half_ipvs_bed(variant: str) -> Bed:
    """Real rules beside virtual services in memory."""
    doors = fake_ipvs_doors()._replace(iptables=Programs(variant))
    return Bed(
        IpvsBackend(doors, monitor=NftMonitor),
        lambda: flush_iptables(variant), 10, lambda: IpvsBackend(doors, monitor=NftMonitor),
    )  # fmt: skip


@contextmanager
def ipvs_bed() -> Iterator[Bed]:
    """In a kernel that has it."""
    links = RtnlLinks()
    links.change(1, LinkChange(up=True))
    links.add_address(Address(1, "192.0.2.1", 24))
    links.add_address(Address(1, "2001:db8::1", 64))
    links.close()
    made: list[IpvsBackend] = []

    def make() -> Backend:
        doors = Doors(IpvsKernel(), RtnlLinks(), Programs(LEGACY), ProcSysctl())
        made.append(IpvsBackend(doors, network=NetworkWatch))
        return made[-1]

    def flush() -> None:
        door = IpvsKernel()
        for service in door.services():
            door.remove(service)
        door.close()

    yield Bed(make(), flush, 6, make)
    for backend in made:
        backend.close()


@contextmanager
def nft_bed() -> Iterator[Bed]:
    doors: list[Kernel] = []

    def make() -> Backend:
        doors.append(Kernel())
        return NftablesBackend(doors[-1], NftMonitor)

    yield Bed(make(), flush_nft, 200, make)
    for door in doors:
        door.close()


EVERYWHERE = ["fake-nftables", "fake-iptables", "fake-ipvs"]
HERE = [
    "nftables",
    "iptables-nft",
    "iptables-legacy",
    "half-ipvs-nft",
    "half-ipvs-legacy",
]
# A machine with a kernel of its own runs this file again.
REAL = ["ipvs"] if "IPVS_MACHINE" in os.environ else HERE


@pytest.fixture(params=[*EVERYWHERE, *(pytest.param(one, marks=pytest.mark.root) for one in REAL)])
def bed(request: pytest.FixtureRequest) -> Iterator[Bed]:
    if request.param == "fake-nftables":
        yield fake_nft_bed()
    elif request.param == "fake-iptables":
        yield fake_iptables_bed()
    elif request.param == "fake-ipvs":
        yield fake_ipvs_bed()
    else:
        with namespace():
            if request.param == "nftables":
                with nft_bed() as bed:
                    yield bed
            elif request.param.startswith("half-ipvs-"):
                yield half_ipvs_bed(request.param.removeprefix("half-ipvs-"))
            elif request.param == "ipvs":
                with ipvs_bed() as bed:
                    yield bed
            else:
                yield iptables_bed(NFT if request.param == "iptables-nft" else LEGACY)


def same(bed: Bed, state: churn.Churn) -> None:
    assert expected_reading(state.state.values()).differences(bed.backend.read()) == []


def test_after_each_change_the_kernel_equals_the_model(bed: Bed) -> None:
    assert bed.backend.probe() == ""
    assert bed.backend.families() == (4, 6)
    state = churn.Churn(7)
    bed.backend.replace([], FACTS)
    same(bed, state)
    for number, changes in enumerate(state.steps(bed.steps)):
        bed.backend.apply(changes)
        if number % 5 == 0 or bed.steps > 100:
            same(bed, state)
    same(bed, state)
    assert bed.backend.check() == []


def test_a_new_process_replaces_what_the_old_one_left(bed: Bed) -> None:
    state = churn.Churn(11)
    bed.backend.replace([], FACTS)
    for changes in state.steps(8):
        bed.backend.apply(changes)
    for _ in state.steps(5):
        pass  # news that nobody heard
    after = bed.again()
    after.replace(state.state.values(), FACTS)
    assert expected_reading(state.state.values()).differences(after.read()) == []
    for changes in state.steps(5):
        after.apply(changes)
    assert expected_reading(state.state.values()).differences(after.read()) == []


def test_a_flush_is_noticed_and_replaced(bed: Bed) -> None:
    state = churn.Churn(3)
    for _ in state.steps(6):
        pass
    bed.backend.replace(state.state.values(), FACTS)
    watch = bed.backend.watch()
    if watch is not None:
        assert watch.suspicion() is Suspicion.NONE
        with watch.quiet():
            bed.backend.apply(state.step())
        assert watch.suspicion() is Suspicion.NONE
    bed.flush()
    if watch is not None:
        assert watch.suspicion() is not Suspicion.NONE
        watch.close()
    assert bed.backend.check() != []
    bed.backend.replace(state.state.values(), FACTS)
    assert bed.backend.check() == []
    same(bed, state)


def test_nothing_is_left_after_cleanup(bed: Bed) -> None:
    state = churn.Churn(5)
    for _ in state.steps(6):
        pass
    bed.backend.replace(state.state.values(), FACTS)
    assert bed.backend.cleanup() != []
    assert bed.backend.read() == expected_reading([])
    assert bed.backend.cleanup() == []
    with pytest.raises(RebuildNeeded):
        bed.backend.apply(state.step())


@pytest.mark.parametrize("count", [2047, 2048, 10_000])
def test_a_service_may_have_thousands_of_endpoints(bed: Bed, count: int) -> None:
    if count == 10_000 and isinstance(bed.backend, IptablesBackend):
        count = 3000  # a chain of 10,000 rules is slow to read back, and the same code
    one = Desired(
        "ns/big:p", IPV4, TCP, (Frontend(b"\x0a\x60\0\1", 80, Route.INTERNAL),), 0, False,
        churn.endpoints(IPV4, list(range(count))), b"", b"",
    )  # fmt: skip
    bed.backend.replace([one], FACTS)
    assert expected_reading([one]).differences(bed.backend.read()) == []
    fewer = Desired(
        one.name, IPV4, TCP, one.frontends, 0, False, churn.endpoints(IPV4, list(range(7, count - 9))), b"", b""
    )
    bed.backend.apply([Change(one, fewer)])
    assert expected_reading([fewer]).differences(bed.backend.read()) == []


@pytest.mark.parametrize("kind", ["nftables", "iptables", "ipvs"])
def test_after_a_refusal_the_state_is_unknown_until_it_is_replaced(kind: str) -> None:
    kernel, programs, doors = FakeKernel(), FakeIptables(), fake_ipvs_doors()
    assert isinstance(doors.ipvs, FakeIpvs)
    backend: Backend = {
        "nftables": NftablesBackend(kernel), "iptables": IptablesBackend(programs), "ipvs": IpvsBackend(doors),
    }[kind]  # fmt: skip
    state = churn.Churn(2)
    backend.replace([], FACTS)
    kernel.refuse, programs.refuse, doors.ipvs.refuse = [17], ["no"], [12]
    with pytest.raises(BackendError):
        backend.apply([change for changes in state.steps(4) for change in changes][:1])
    with pytest.raises(RebuildNeeded):
        backend.apply(state.step())
    backend.replace(state.state.values(), FACTS)
    assert expected_reading(state.state.values()).differences(backend.read()) == []


@pytest.mark.parametrize("kind", ["nftables", "iptables"])
def test_one_refusal_while_probing_costs_no_family(kind: str) -> None:
    kernel, programs = FakeKernel(), FakeIptables()
    backend: Backend = NftablesBackend(kernel) if kind == "nftables" else IptablesBackend(programs)
    kernel.refuse, programs.refuse = [12], ["another program has the lock"]
    assert backend.probe() == "" and backend.families() == (4, 6)


def test_services_that_exchange_addresses_in_one_burst() -> None:
    for backend in (NftablesBackend(FakeKernel()), IptablesBackend(FakeIptables())):
        one, two = (
            Desired(
                f"ns/{name}:p", IPV4, TCP, (Frontend(churn.address(IPV4, 96, number), 80, Route.INTERNAL),), 0, False,
                churn.endpoints(IPV4, [number]), b"", b"",
            )
            for number, name in enumerate(("a", "b"), 1)
        )  # fmt: skip
        backend.replace([one, two], FACTS)
        swapped = [
            msgspec.structs.replace(one, frontends=two.frontends),
            msgspec.structs.replace(two, frontends=one.frontends),
        ]
        backend.apply([Change(one, swapped[0]), Change(two, swapped[1])])
        assert expected_reading(swapped).differences(backend.read()) == []


def test_a_map_that_fills_up_asks_for_a_rebuild_and_gets_room() -> None:
    backend = NftablesBackend(FakeKernel())
    backend.replace([], FACTS)
    state: dict[int, Desired] = {}
    rebuilt = 0
    for number in range(3000):
        one = Desired(
            f"ns/s{number}:p", IPV4, TCP, (Frontend(churn.address(IPV4, 96, number), 80, Route.INTERNAL),), 0, False,
            churn.endpoints(IPV4, [number]), b"", b"",
        )  # fmt: skip
        state[number] = one
        try:
            backend.apply([Change(None, one)])
        except RebuildNeeded:
            rebuilt += 1
            backend.replace(list(state.values()), FACTS)
    assert rebuilt == 2
    assert expected_reading(state.values()).differences(backend.read()) == []


@pytest.mark.root
def test_the_nft_program_can_list_what_we_make() -> None:
    with namespace(), nft_bed() as bed:
        state = churn.Churn(9)
        for _ in state.steps(8):
            pass
        bed.backend.replace(state.state.values(), FACTS)
        listed = process.run(["nft", "list", "ruleset"]).text
        assert "typeof ip daddr . meta l4proto . th dport : meta priority" in listed
        for one in state.state.values():
            if one.family == IPV4 and one.every:
                assert f"{show(one.frontends[0].address)} . {PROTOCOL_NAMES[one.protocol].lower()} . 80 : " in listed
        assert process.run(["nft", "-j", "list", "ruleset"]).text.startswith('{"nftables"')


@pytest.mark.root
def test_cleanup_takes_the_empty_tables_that_iptables_nft_made_but_no_table_with_anything_in_it() -> None:
    with namespace():
        process.run(["nft", "add", "table", "ip", "filter"])
        process.run(["nft", "add", "set", "ip", "filter", "theirs", "{ type ipv4_addr ; }"])
        backend = IptablesBackend(Programs(NFT))
        backend.replace([], FACTS)
        backend.cleanup()
        left = process.run(["nft", "list", "ruleset"]).text
        assert left.count("table ") == 1 and "set theirs" in left and "WHERRY" not in left


def test_iptables_leaves_the_rules_of_others_alone() -> None:
    door: Iptables = FakeIptables()
    door.restore(4, "*nat\n:THEIRS - [0:0]\n-A THEIRS -j ACCEPT\n-A PREROUTING -j THEIRS\nCOMMIT\n")
    backend = IptablesBackend(door)
    before = door.save(4, "nat")
    backend.replace([], FACTS)
    assert door.save(4, "nat") != before
    backend.cleanup()
    assert door.save(4, "nat") == before
