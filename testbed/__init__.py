"""Whole test hosts made of namespaces on one machine. Must not be imported by the product."""

from testbed.network import Switch
from testbed.node import Node
from testbed.snapshot import Snapshot

__all__ = ["Node", "Snapshot", "Switch"]
