"""What the node itself adds to the picture."""

from collections.abc import Sequence

import msgspec

from proxy.model import addresses
from proxy.model.addresses import BadAddress
from proxy.model.networks import Network, merge, of_family


class Facts(msgspec.Struct, frozen=True):
    """The node's name, the pod networks (none or one per family), and what the operator allows."""

    node_name: str = ""
    cluster: tuple[Network, ...] = ()
    external_ips: bool = False
    zone: str = ""  # of the node
    node_ports: tuple[Network, ...] = ()  # which of the node's addresses have node ports, if not all

    def node_networks(self, family: int) -> tuple[Network, ...]:
        """Where in this family node ports are; empty: on every address of the node."""
        return of_family(self.node_ports, family)

    def cluster_network(self, family: int) -> Network | None:
        """The pod network of this family: traffic from elsewhere is masqueraded."""
        return next((one for one in self.cluster if addresses.family_of(one.address) == family), None)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks from a comma-separated list, at most one per family."""
    found = [Network(*addresses.network(part.strip())) for part in text.split(",") if part.strip()]
    families = [addresses.family_of(one.address) for one in found]
    if len(set(families)) != len(families):
        raise BadAddress(f"cannot use cluster CIDR {text!r}: give at most one network per family")
    return tuple(found)


def parse_node_ports(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks for node ports, in any number."""
    found = merge(Network(*addresses.network(text.strip())) for text in texts)
    for one in found:
        if one.prefix and addresses.refusal(one.address) == "loopback":
            raise BadAddress(f"cannot have node ports on {one}: loopback addresses do not leave the node; leave it out")
    return found
