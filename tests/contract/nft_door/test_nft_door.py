"""The nf_tables door: the kernel and its fake refuse and accept the same."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator

import pytest

from linux import netns
from linux.nft import Door, FakeKernel, Kernel, NftError, Seen, objects
from linux.nft.elements import Batch, Format, goto_element
from linux.nft.objects import DATA_VERDICT, T_INTEGER, T_MARK, Set, new_chain, new_rule, new_set, new_table
from linux.nft.wire import INET4

TABLE = "px-door"
NUMBERS = Format(4, 4)


def number(value: int) -> bytes:
    return struct.pack("=I", value)


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.root)])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    if request.param == "fake":
        yield FakeKernel()
        return
    path = f"/run/netns/px-{os.getpid()}-door"
    netns.create(path)
    fd = netns.open_path(path)
    try:
        with netns.inside(fd):
            kernel = Kernel()
        yield kernel
        kernel.close()
    finally:
        os.close(fd)
        netns.remove(path)


@pytest.fixture
def table(door: Door) -> Door:
    door.commit(
        [
            new_table(INET4, TABLE),
            new_set(INET4, TABLE, Set("numbers", T_INTEGER, (4,), T_MARK, 4, 8), 1),
            new_set(INET4, TABLE, Set("targets", T_MARK, (4,), DATA_VERDICT, 0, 16), 2),
            new_chain(INET4, TABLE, "one"),
        ]
    )
    return door


def add(*pairs: tuple[int, int]) -> list[bytes]:
    blob = b"".join(NUMBERS.element(number(key), number(value)) for key, value in pairs)
    return list(Batch(INET4, TABLE, "numbers").uniform(blob, NUMBERS.size))


def delete(*keys: int) -> list[bytes]:
    return list(Batch(INET4, TABLE, "numbers", delete=True).mixed(NUMBERS.bare(number(key)) for key in keys))


def held(door: Door) -> dict[int, int]:
    found = door.elements(INET4, TABLE, "numbers")
    return {struct.unpack("=I", e.key)[0]: struct.unpack("=I", e.data)[0] for e in found}


def refused(door: Door, messages: list[bytes]) -> NftError:
    with pytest.raises(NftError) as caught:
        door.commit(messages)
    return caught.value


def test_elements_come_change_and_go(table: Door) -> None:
    table.commit(add((1, 10), (2, 20)))
    assert held(table) == {1: 10, 2: 20}
    table.commit(add((1, 10)))  # the same again is fine
    table.commit(delete(1) + add((1, 11)))  # another value: out and in again, in one transaction
    assert held(table) == {1: 11, 2: 20}
    table.commit(delete(1, 2))
    assert held(table) == {}


def test_keys_are_read_alone_whatever_form_their_elements_have(table: Door) -> None:
    assert table.keys(INET4, TABLE, "numbers") == set()
    table.commit(add((1, 10), (2, 20), (3, 30)))
    assert table.keys(INET4, TABLE, "numbers") == {number(1), number(2), number(3)}
    table.commit([new_chain(INET4, TABLE, "a-longer-name")])
    elsewhere = [goto_element(number(1), "one"), goto_element(number(2), "a-longer-name")]
    table.commit(list(Batch(INET4, TABLE, "targets").mixed(elsewhere)))
    assert table.keys(INET4, TABLE, "targets") == {number(1), number(2)}


def test_a_refused_transaction_changes_nothing(table: Door) -> None:
    table.commit(add((1, 10)))
    assert refused(table, add((5, 50)) + add((1, 99))).exists
    assert refused(table, add((6, 60)) + delete(7)).not_found
    assert held(table) == {1: 10}


def test_a_full_set_says_so_and_what_is_deleted_first_makes_room(table: Door) -> None:
    table.commit(add(*((n, n) for n in range(8))))
    assert refused(table, add((8, 8))).full
    table.commit(delete(0) + add((8, 8)))
    assert len(held(table)) == 8


def test_what_is_used_cannot_go_and_what_is_missing_cannot_be_used(table: Door) -> None:
    table.commit(list(Batch(INET4, TABLE, "targets").mixed([goto_element(number(1), "one")])))
    assert [e.chain for e in table.elements(INET4, TABLE, "targets")] == ["one"]
    assert refused(table, [objects.delete_chain(INET4, TABLE, "one")]).code == errno.EBUSY
    assert refused(table, list(Batch(INET4, TABLE, "targets").mixed([goto_element(number(2), "two")]))).not_found
    assert refused(table, [objects.delete_table(INET4, "px-none")]).not_found
    for read in (table.elements, table.keys):
        with pytest.raises(NftError) as caught:
            read(INET4, TABLE, "nothing")
        assert caught.value.not_found


def test_rules_and_sizes_are_seen(table: Door) -> None:
    table.commit([new_rule(INET4, TABLE, "one"), new_rule(INET4, TABLE, "one")])
    seen = table.table(INET4, TABLE)
    assert seen is not None
    assert seen.chains == {"one": 2}
    assert seen.sets == {"numbers": 8, "targets": 16}
    assert table.table(INET4, "px-none") is None


def test_every_transaction_makes_a_generation(table: Door) -> None:
    before = table.generation()
    table.commit(add((1, 1)))
    assert table.generation() == before + 1
    refused(table, add((1, 2)))
    assert table.generation() == before + 1


@pytest.mark.root
@pytest.mark.parametrize(
    "ask",
    [
        lambda door: door.generation(),
        lambda door: door.tables(INET4),
        lambda door: door.table(INET4, TABLE),
        lambda door: door.elements(INET4, TABLE, "numbers"),
        lambda door: door.commit([new_table(INET4, TABLE)]),
    ],
    ids=["generation", "tables", "table", "elements", "commit"],
)
def test_a_socket_that_fails_is_an_error_of_the_door(ask: Callable[[Door], object]) -> None:
    door = Kernel()
    door.close()
    with pytest.raises(NftError, match=r"cannot .*: Bad file descriptor") as caught:
        ask(door)
    assert caught.value.code == errno.EBADF


def test_a_table_is_replaced_in_one_transaction(table: Door) -> None:
    table.commit(add((1, 1)))
    table.commit([objects.destroy_table(INET4, TABLE), new_table(INET4, TABLE)])
    assert table.table(INET4, TABLE) == Seen({}, {})
    table.commit([objects.destroy_table(INET4, TABLE)])
    table.commit([objects.destroy_table(INET4, TABLE)])  # also when it is not there
    assert TABLE not in table.tables(INET4)


def test_messages_are_cut_below_64_kib(table: Door) -> None:
    table.commit([new_set(INET4, TABLE, Set("many", T_INTEGER, (4,), T_MARK, 4, 1 << 15), 3)])
    blob = b"".join(NUMBERS.element(number(key), number(key)) for key in range(10_000))
    messages = list(Batch(INET4, TABLE, "many").uniform(blob, NUMBERS.size))
    assert len(messages) > 1
    table.commit(messages)
    assert len(table.elements(INET4, TABLE, "many")) == 10_000
