"""The address store: uniqueness, rest, exhaustion, host ports, and what a kill leaves."""

import os
import signal
import threading
from pathlib import Path

import apsw
import pytest

from cni.config import NetworkConfig, PortMapping
from cni.errors import ADDRESS_TAKEN, IO, NO_ADDRESS, PORT_TAKEN, CniError
from cni.ipam import _SCHEMA, FILE, Owner, Store, remove
from cni.ranges import make_range, show, span


def network(*cidrs: str, **more: object) -> NetworkConfig:
    sets = tuple((make_range(cidr),) for cidr in cidrs or ("10.1.2.0/28",))
    return NetworkConfig("1.0.0", "n", range_sets=sets)._replace(**more)


def owner(number: int) -> Owner:
    return Owner("n", f"c{number}", "eth0")


def reserve(store: Store, number: int, config: NetworkConfig | None = None) -> list[str]:
    held, _ = store.reserve(owner(number), f"/run/netns/{number}", f"wv{number}", config or network())
    return [show(ip) for ip in held.ips]


def release(store: Store, number: int) -> bool:
    with store.writing():
        return store.release(owner(number))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def test_each_gets_its_own_and_keeps_it(store: Store, tmp_path: Path) -> None:
    assert [reserve(store, n) for n in range(3)] == [["10.1.2.2"], ["10.1.2.3"], ["10.1.2.4"]]
    assert reserve(store, 1) == ["10.1.2.3"]
    store.close()
    again = Store(str(tmp_path))
    found = again.find(owner(1))
    assert found is not None
    assert ([show(ip) for ip in found.ips], found.netns, found.link) == (["10.1.2.3"], "/run/netns/1", "wv1")
    assert reserve(again, 9) == ["10.1.2.5"]


def test_a_freed_address_rests_until_all_others_were_given(store: Store) -> None:
    reserve(store, 1)
    assert release(store, 1) is True
    assert release(store, 1) is False
    given = [reserve(store, n)[0] for n in range(2, 15)]
    assert given[-1] == "10.1.2.2"
    assert len(set(given)) == 13


def test_what_was_freed_first_is_given_first(store: Store) -> None:
    for n in range(13):
        reserve(store, n)
    for n in (7, 3, 11):
        release(store, n)
    assert [reserve(store, n) for n in (20, 21, 22)] == [["10.1.2.9"], ["10.1.2.5"], ["10.1.2.13"]]
    for n in (20, 21):
        release(store, n)
    reserve(store, 23, network(ips=("10.1.2.9",)))
    assert reserve(store, 24) == ["10.1.2.5"]


def test_reserved_addresses_are_for_those_who_ask(store: Store) -> None:
    kept = network(reserved=(span("10.1.2.2-10.1.2.4"), span("10.1.2.6"), span("10.1.2.8/29")))
    assert [reserve(store, n, kept) for n in range(2)] == [["10.1.2.5"], ["10.1.2.7"]]
    with pytest.raises(CniError) as caught:
        reserve(store, 3, kept)
    assert caught.value.code == NO_ADDRESS
    assert store.free(kept, kept.range_sets[0]) == 0
    assert reserve(store, 3, kept._replace(ips=("10.1.2.9",))) == ["10.1.2.9"]
    release(store, 3)
    with pytest.raises(CniError):
        reserve(store, 4, kept)
    release(store, 0)
    assert reserve(store, 4, kept) == ["10.1.2.5"]


def test_several_subnets_in_one_set_follow_one_another(store: Store) -> None:
    wide = network()._replace(range_sets=((make_range("10.1.0.0/30"), make_range("10.2.0.0/30")),))
    assert [reserve(store, n, wide) for n in range(2)] == [["10.1.0.2"], ["10.2.0.2"]]
    release(store, 0)
    assert reserve(store, 5, wide) == ["10.1.0.2"]


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    old = apsw.Connection(str(tmp_path / FILE))
    old.execute(f"{_SCHEMA} PRAGMA user_version=1;")
    old.execute("INSERT INTO network VALUES ('n', 'br0', '{\"subnets\": [\"10.1.2.0/28\"]}')")
    old.execute("INSERT INTO attachment VALUES ('n', 'c1', 'eth0', '/run/netns/1', 'wv1', 0)")
    old.execute("INSERT INTO address VALUES ('n', x'0a010202', 0, 'c1', 'eth0')")
    old.close()
    store = Store(str(tmp_path))
    found = store.find(owner(1))
    assert found is not None
    assert (found.ips, found.mac, found.guard) == ((b"\x0a\x01\x02\x02",), "", "")  # it may send what it could
    assert reserve(store, 2) == ["10.1.2.3"]
    assert reserve(store, 1) == ["10.1.2.2"]


def test_exhaustion_is_told_and_a_release_ends_it(store: Store) -> None:
    for n in range(13):
        reserve(store, n)
    with pytest.raises(CniError, match=r"no addresses left in 10\.1\.2\.1-10\.1\.2\.14 of network n") as caught:
        reserve(store, 99)
    assert caught.value.code == NO_ADDRESS
    assert "13 are in use" in caught.value.details
    assert store.find(owner(99)) is None
    release(store, 4)
    assert reserve(store, 99) == ["10.1.2.6"]


def test_one_address_of_each_set(store: Store) -> None:
    both = network("10.1.2.0/28", "fd00:1::/64")
    assert reserve(store, 1, both) == ["10.1.2.2", "fd00:1::2"]
    assert reserve(store, 2, both) == ["10.1.2.3", "fd00:1::3"]


def test_a_set_that_is_full_takes_nothing_from_the_others(store: Store) -> None:
    both = network("10.1.2.0/28", "10.9.0.0/30")
    reserve(store, 1, both)
    with pytest.raises(CniError):
        reserve(store, 2, both)
    assert reserve(store, 3) == ["10.1.2.3"]


def test_a_new_range_on_a_living_network_gives_a_new_address(store: Store) -> None:
    reserve(store, 1)
    assert reserve(store, 1, network("10.7.0.0/24")) == ["10.7.0.2"]
    assert reserve(store, 2) == ["10.1.2.3"]  # the first one rests


def test_an_address_that_was_asked_for(store: Store) -> None:
    assert reserve(store, 1, network(ips=("10.1.2.9",))) == ["10.1.2.9"]
    assert reserve(store, 1, network(ips=("10.1.2.9",))) == ["10.1.2.9"]
    for asked, message in (
        ("10.1.2.9", "another container has it"),
        ("10.1.2.1", "in none of"),
        ("10.5.0.1", "none of"),
    ):
        with pytest.raises(CniError, match=message) as caught:
            reserve(store, 2, network(ips=(asked,)))
        assert caught.value.code == ADDRESS_TAKEN
    assert store.find(owner(2)) is None


def test_a_pod_may_map_a_port_of_one_address_and_of_all_others(store: Store) -> None:
    both = (PortMapping("tcp", 80, 1, "192.0.2.1"), PortMapping("tcp", 80, 2, "0.0.0.0"))
    held, _ = store.reserve(owner(1), "", "wv1", network(ports=both))
    assert held.ports == both
    with pytest.raises(CniError, match="container c1 has it"):
        reserve(store, 2, network(ports=(PortMapping("tcp", 80, 1, "192.0.2.9"),)))


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (PortMapping("tcp", 80, 1), PortMapping("tcp", 80, 2), True),
        (PortMapping("tcp", 80, 1), PortMapping("udp", 80, 2), False),
        (PortMapping("tcp", 80, 1, "192.0.2.1"), PortMapping("tcp", 80, 2, "192.0.2.2"), False),
        (PortMapping("tcp", 80, 1, "192.0.2.1"), PortMapping("tcp", 80, 2), True),
        (PortMapping("tcp", 80, 1), PortMapping("tcp", 80, 2, "192.0.2.1"), True),
        (PortMapping("tcp", 80, 1), PortMapping("tcp", 80, 2, "0.0.0.0"), True),
        (PortMapping("tcp", 80, 1, "0.0.0.0"), PortMapping("tcp", 80, 2, "192.0.2.1"), True),
        (PortMapping("tcp", 80, 1, "fd00::1"), PortMapping("tcp", 80, 2, "::"), True),
        (PortMapping("tcp", 80, 1, "0.0.0.0"), PortMapping("tcp", 80, 2, "::"), False),
        (PortMapping("tcp", 80, 1, "0.0.0.0"), PortMapping("tcp", 80, 2, "fd00::1"), False),
    ],
)
def test_host_ports_are_given_once(store: Store, first: PortMapping, second: PortMapping, clash: bool) -> None:
    reserve(store, 1, network(ports=(first,)))
    reserve(store, 1, network(ports=(first,)))
    if not clash:
        reserve(store, 2, network(ports=(second,)))
        return
    with pytest.raises(CniError, match="container c1 has it") as caught:
        reserve(store, 2, network(ports=(second,)))
    assert caught.value.code == PORT_TAKEN
    release(store, 1)
    reserve(store, 2, network(ports=(second,)))


def test_two_stores_and_many_threads_never_give_an_address_twice(tmp_path: Path) -> None:
    stores = [Store(str(tmp_path)) for _ in range(2)]
    wide, given, errors = network("10.1.0.0/16"), [], []

    def work(store: Store, first: int) -> None:
        try:
            given.extend(reserve(store, first + n, wide)[0] for n in range(50))
        except CniError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(stores[n % 2], n * 100)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(given) == len(set(given)) == 300


def test_a_kill_in_a_transaction_leaves_the_last_whole_state(tmp_path: Path) -> None:
    Store(str(tmp_path)).close()
    child = os.fork()
    if child == 0:
        store = Store(str(tmp_path))
        store.reserve(owner(1), "/run/netns/1", "wv1", network())
        with store.writing():
            store.leave(owner(1))
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    found = Store(str(tmp_path)).find(owner(1))
    assert found is not None
    assert found.leaving is False


def test_a_broken_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 100)
    with pytest.raises(CniError, match="cannot open .*not a database") as caught:
        Store(str(tmp_path))
    assert caught.value.code == IO


def test_facts_of_a_later_version_are_passed_over(store: Store, tmp_path: Path) -> None:
    reserve(store, 1)
    other = apsw.Connection(str(tmp_path / FILE))
    other.execute("UPDATE network SET facts = json_set(facts, '$.colour', 'red')")
    other.close()
    found = store.network("n")
    assert found is not None
    assert found.subnets == ("10.1.2.0/28",)


def test_a_newer_file_is_left_alone(tmp_path: Path) -> None:
    newer = apsw.Connection(str(tmp_path / FILE))
    newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(CniError, match="of a newer version"):
        Store(str(tmp_path))


def test_remove(tmp_path: Path) -> None:
    Store(str(tmp_path))
    remove(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    remove(str(tmp_path))
