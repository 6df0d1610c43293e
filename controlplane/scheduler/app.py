"""The scheduler as a program."""

from __future__ import annotations

import random

from client import Client
from controlplane.scheduler.scheduler import Scheduler
from kit.clock import Clock
from kit.supervisor import Supervisor


async def run(client: Client, clock: Clock, supervisor: Supervisor, rng: random.Random | None = None) -> None:
    """Start the scheduler's parts; returns at once."""
    scheduler = Scheduler(client, clock, rng or random.Random())
    supervisor.spawn("scheduler-events", scheduler.recorder.run, restart=True)
    supervisor.spawn("scheduler-pods", scheduler.pods.run, restart=True)
    supervisor.spawn("scheduler-nodes", scheduler.nodes.run, restart=True)
    supervisor.spawn("scheduler", scheduler.run, restart=True)
