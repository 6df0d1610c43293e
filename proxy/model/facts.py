"""What the node itself adds to the picture."""

from collections.abc import Sequence

import msgspec

from proxy.model import addresses
from proxy.model.addresses import BadAddress
from proxy.model.networks import NOBODY, Network, merge, of_family
from proxy.model.node import Node

PRIMARY = "primary"  # instead of a network: the node's addresses by its Node object


class Facts(msgspec.Struct, frozen=True):
    """The node's name, the pod networks (none or one per family), and what the operator allows."""

    node_name: str = ""
    cluster: tuple[Network, ...] = ()
    external_ips: bool = False
    zone: str = ""  # of the node
    node_ports: tuple[Network, ...] = ()  # which of the node's addresses have node ports, if not all
    primary: tuple[bytes, ...] | None = None  # if not None: these have them in families without such a network

    def node_networks(self, family: int) -> tuple[Network, ...]:
        """Where in this family node ports are; empty: on every address of the node."""
        if self.primary is None or any(one.family == family for one in self.node_ports):
            return of_family(self.node_ports, family)
        hosts = tuple(Network(one, len(one) * 8) for one in self.primary)
        return of_family(hosts, family) or of_family(NOBODY, family)

    def at(self, node: Node) -> "Facts":
        """The same, with what the Node object says."""
        primary = None if self.primary is None else node.addresses or self.primary
        return msgspec.structs.replace(self, zone=node.zone, primary=primary)

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
    """Networks for node ports, in any number; `PRIMARY` is none."""
    found = merge(Network(*addresses.network(text.strip())) for text in texts if text != PRIMARY)
    for one in found:
        if one.prefix and addresses.refusal(one.address) == "loopback":
            raise BadAddress(f"cannot have node ports on {one}: loopback addresses do not leave the node; leave it out")
    return found
