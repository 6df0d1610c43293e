"""HTTP runs on uvloop in programs and on asyncio's loop in the tests of others: its own tests run on both."""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Which loops the tests of this folder run on."""
    if item.nodeid.rpartition("/")[2].startswith("test_http"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
