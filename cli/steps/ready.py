"""Waiting until the node can take pods: the agent and the proxy are well, and the API server says Ready."""

import asyncio

from api import kinds
from api.core_v1 import Node
from cli import health
from cli.errors import CliError
from cli.machine import Machine, Step
from client import Client
from client.errors import ApiError, Unavailable
from kit.clock import SystemClock

SECONDS = 90.0


def do(machine: Machine) -> str:
    """Wait."""
    for name in ("agent", "proxy"):
        health.wait_for(machine, name, SECONDS)
    said = asyncio.run(wait_ready(machine))
    if said:
        tail = machine.services.log_tail("agent", 15)
        machine.say(f"--- the end of the log of agent:\n{tail}\n---")
        name = machine.settings.node_name
        raise CliError(f"make node {name} ready", said, "The agent's log is shown above")
    return "Ready"


async def wait_ready(machine: Machine) -> str:
    """Watch the node until it is ready; what was wrong last when that takes too long, else ""."""
    door = health.transport(machine)
    client, name = Client(door), machine.settings.node_name
    last = "it has not registered"
    try:
        async with asyncio.timeout(SECONDS):
            while True:  # a watch may end at any time, and the server may start again
                try:
                    async for event in client.watch(kinds.NODE, fields=f"metadata.name={name}"):
                        last = problem(event.object)
                        if not last:
                            return ""
                except Unavailable as error:
                    last = str(error)
                    await SystemClock().sleep(0.1)
    except TimeoutError:
        return f"not so after {SECONDS:g} s: {last}"
    except ApiError as error:
        return str(error)
    finally:
        await door.close()


def problem(node: Node) -> str:
    """Why a node is not ready; "" when it is."""
    for condition in node.status.conditions:
        if condition.type == "Ready":
            return "" if condition.status == "True" else condition.message or condition.reason or "it says so"
    return "it says nothing yet"


STEP = Step("node", do)
