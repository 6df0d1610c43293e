"""Removes everything that the network between nodes made on this host, policies too: `wherry reset`."""

from cni.fabric.kernel import FabricKernel
from cni.fabric.openings import Open
from cni.fabric.plan import Desired, plan
from cni.fabric.rules import Outbound, render
from cni.policy.render import destroy


def remove_fabric() -> None:
    """Remove links, routes, tables, and rules in other people's firewalls. An ExceptionGroup tells of what failed."""
    kernel = FabricKernel()
    try:
        failures: list[Exception] = [OSError(text) for text in kernel.act(plan(Desired(), kernel.look(())))]
        for step in (lambda: kernel.nft.commit([*render(Outbound()), *destroy()]), lambda: kernel.open(Open())):
            try:
                step()
            except Exception as error:  # the others must go as well
                failures.append(error)
    finally:
        kernel.close()
    if failures:
        raise ExceptionGroup("cannot remove all of the network between nodes", failures)
