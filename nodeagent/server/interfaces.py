"""Network interfaces and what went over them: of the machine, and of pods, each as the kernel shows them to its processes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proto import cri_v1_pb2 as pb

PODS = ("veth", "wv")  # the machine's ends of what pods are connected by


@dataclass(frozen=True, slots=True)
class Interface:
    """Counts since it was made."""

    name: str
    rx_bytes: int = 0
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0

    def told(self) -> dict[str, Any]:
        """As the summary has it."""
        names = ("name", "rxBytes", "rxErrors", "txBytes", "txErrors")
        values = (self.name, self.rx_bytes, self.rx_errors, self.tx_bytes, self.tx_errors)
        return dict(zip(names, values, strict=True))


# Names of metrics, what they are of an interface, and what they mean.
COUNTS: tuple[tuple[str, Callable[[Interface], int], str], ...] = (
    ("receive_bytes", lambda one: one.rx_bytes, "Bytes received."),
    ("receive_errors", lambda one: one.rx_errors, "Errors while receiving."),
    ("receive_packets_dropped", lambda one: one.rx_dropped, "Packets dropped while receiving."),
    ("receive_packets", lambda one: one.rx_packets, "Packets received."),
    ("transmit_bytes", lambda one: one.tx_bytes, "Bytes sent."),
    ("transmit_errors", lambda one: one.tx_errors, "Errors while sending."),
    ("transmit_packets_dropped", lambda one: one.tx_dropped, "Packets dropped while sending."),
    ("transmit_packets", lambda one: one.tx_packets, "Packets sent."),
)


def read_interfaces(file: str = "/proc/net/dev") -> list[Interface]:
    """Those that a process sees, but for its own loopback and the ends of what connects pods."""
    try:
        with open(file) as lines:
            text = lines.read()
    except OSError:
        return []
    found = []
    for name, _, rest in (line.strip().partition(":") for line in text.splitlines()[2:]):
        numbers = [int(number) for number in rest.split()]
        if len(numbers) >= 12 and name != "lo" and not name.startswith(PODS):
            found.append(Interface(name, *numbers[:4], *numbers[8:12]))
    return found


def interface_of(one: pb.NetworkInterfaceUsage) -> Interface:
    """A pod's interface as the runtime tells of it."""
    return Interface(
        one.name,
        rx_bytes=one.rx_bytes.value,
        rx_errors=one.rx_errors.value,
        tx_bytes=one.tx_bytes.value,
        tx_errors=one.tx_errors.value,
    )
