"""A seeded sequence of Services that come, change and go: input for every backend's suite."""

from __future__ import annotations

import random
from collections.abc import Iterator

from proxy.model.addresses import IPV4, IPV6, SCTP, TCP, UDP, join
from proxy.model.facts import Facts, parse_networks
from proxy.model.networks import Network
from proxy.plan.desired import NODE, Desired, Frontend, Route
from proxy.plan.diff import Change, diff

FACTS = Facts("here", parse_networks("10.244.0.0/16,fd00:244::/48"))


def address(family: int, kind: int, number: int) -> bytes:
    """10.KIND.x.x or fd00:KIND::x."""
    if family == IPV4:
        return bytes((10, kind)) + number.to_bytes(2, "big")
    return bytes.fromhex("fd00") + kind.to_bytes(2, "big") + number.to_bytes(12, "big")


def endpoints(family: int, numbers: list[int], port: int = 8080) -> bytes:
    return join([address(family, 244, number) + port.to_bytes(2, "big") + b"\0\0" for number in numbers])


class Churn:
    """The wanted state, and the next change to it."""

    def __init__(self, seed: int, families: tuple[int, ...] = (IPV4, IPV6), most: int = 6) -> None:
        self._random = random.Random(seed)
        self._families = families
        self._most = most
        self.state: dict[tuple[str, int], Desired] = {}

    def steps(self, count: int) -> Iterator[list[Change]]:
        for _ in range(count):
            yield self.step()

    def step(self) -> list[Change]:
        """One burst of changes, already in `state`."""
        before = dict(self.state)
        for _ in range(self._random.choice((1, 1, 1, 2, 5))):
            number = self._random.randrange(12)
            family = self._random.choice(self._families)
            key = (f"ns/svc{number}:p", family)
            if key in self.state and self._random.random() < 0.2:
                del self.state[key]
            else:
                self.state[key] = self._desired(number, family)
        return diff(before.values(), self.state.values())

    def _desired(self, number: int, family: int) -> Desired:
        rng = self._random
        every = rng.sample(range(1, 40), rng.choice((0, 1, 1, 2, 3, self._most)))
        local = [one for one in every if rng.random() < 0.4]
        sources = tuple(
            Network(address(family, 1, rng.choice((0, 256))), 24 if family == IPV4 else 120)
            for _ in range(rng.choice((0, 0, 1)))
        )
        outside = rng.choice((Route.EXTERNAL, Route.EXTERNAL_LOCAL))
        frontends = [Frontend(address(family, 96, number), 80, Route.INTERNAL)]
        if rng.random() < 0.5:
            frontends.append(Frontend(NODE, 30000 + number, outside))
        if rng.random() < 0.3:
            frontends.append(Frontend(address(family, 203, number), 80, outside, bool(sources)))
        here = b"".join(sorted(address(family, 244, one) for one in local))
        return Desired(
            name=f"ns/svc{number}:p",
            family=family,
            protocol=(TCP, TCP, UDP, SCTP)[number % 4],
            frontends=tuple(frontends),
            affinity=rng.choice((0, 0, 0, 600, 10800)),
            internal_local=rng.random() < 0.2,
            every=endpoints(family, every),
            local=endpoints(family, local),
            here=here,
            sources=sources,
        )
