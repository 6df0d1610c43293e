"""The way through other people's firewalls. Pure.

A host's firewall (ufw, firewalld, Docker's) often forwards nothing that it does not know. To accept a packet in a table of
our own is no use: each base chain decides by itself, and one refusal is enough. So where such a firewall forbids by default,
it gets rules of ours before its own: pods' packets may pass, and tunnels of other nodes may come in. Where nothing is
forbidden nothing is added, and rules that are not needed any more go.

iptables' tables are written with its own programs, which could not read nf_tables' rules there.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cni import ranges
from cni.matches import destination, source, within
from linux.nft import expressions as ex
from linux.nft import objects
from linux.nft.chains import DROP, INET, BaseChain, NotedRule, delete_rule, first_rule
from linux.nft.expressions import R0
from linux.nft.wire import INET4, INET6

CHAINS = {"FORWARD": "WHERRYNET-FORWARD", "INPUT": "WHERRYNET-INPUT"}  # WHERRY-* are the proxy's
_FRIENDS = ("WHERRY", "KUBE-")
_IPTABLES = {"filter", "nat", "mangle", "raw", "security"}
_OURS = "wherry-"
_NOTE = "wherry"
_PROTO_META = 15  # which family a packet is of
_UDP = 17


class Open(NamedTuple):
    """What must get through."""

    pods: tuple[str, ...] = ()
    """Ranges of all pods."""
    tunnels: frozenset[tuple[str, int]] = frozenset()
    """Other nodes' addresses, and the UDP ports at which their tunnels come in."""


def plan_iptables(wanted: Open, family: int, lines: Sequence[str]) -> str:
    """Input of iptables-restore that makes table `filter` right, given what iptables-save says; empty if it is."""
    rules = {
        "FORWARD": [f"{way} {net} -j ACCEPT" for net in _nets(wanted.pods, family) for way in ("-s", "-d")],
        "INPUT": [
            f"-s {ip}/{32 if family == 4 else 128} -p udp -m udp --dport {port} -j ACCEPT"
            for ip, port in sorted(wanted.tunnels)
            if _version(ip) == family
        ],
    }
    text = ""
    for built_in, ours in CHAINS.items():
        want = rules[built_in] if _forbids(built_in, lines) else []
        have = [line.removeprefix(f"-A {ours} ") for line in lines if line.startswith(f"-A {ours} ")]
        jump = f"{built_in} -j {ours}"
        jumps = f"-A {jump}" in lines
        if want and (have != want or not jumps):
            text += f":{ours} - [0:0]\n" + "".join(f"-A {ours} {rule}\n" for rule in want)
            text += "" if jumps else f"-I {built_in} 1 -j {ours}\n"
        elif not want and any(line.startswith(f":{ours} ") for line in lines):
            text += f":{ours} - [0:0]\n" + (f"-D {jump}\n" if jumps else "") + f"-X {ours}\n"
    return f"*filter\n{text}COMMIT\n" if text else ""


def _forbids(built_in: str, lines: Sequence[str]) -> bool:
    """Whether a chain may refuse what it does not know: by its policy, or because somebody wrote rules into it."""
    for line in lines:
        words = line.split()
        if words[0] == f":{built_in}" and words[1] != "ACCEPT":
            return True
        if words[:2] == ["-A", built_in] and not words[-1].startswith(_FRIENDS):
            return True
    return False


def needs_opening(chain: BaseChain) -> bool:
    """Whether somebody else's chain refuses packets by default."""
    if chain.kind != "filter" or chain.hook not in (objects.FORWARD, objects.INPUT):
        return False
    if chain.table.startswith(_OURS) or (chain.family != INET and chain.table in _IPTABLES):
        return False
    return chain.policy == DROP or chain.table == "firewalld"  # which refuses with its last rule


def plan_chain(wanted: Open, chain: BaseChain, seen: Iterable[NotedRule]) -> list[bytes]:
    """The messages that make our rules in somebody's chain right; none if they are."""
    rules = _forward(wanted, chain) if chain.hook == objects.FORWARD else _input(wanted, chain)
    noted = {f"{_NOTE} {hashlib.sha256(rule).hexdigest()[:12]}": rule for rule in rules}
    have = {rule.note: rule.handle for rule in seen if rule.note.startswith(f"{_NOTE} ")}
    messages = [delete_rule(chain, handle) for note, handle in have.items() if note not in noted]
    return messages + [first_rule(chain, note, rule) for note, rule in noted.items() if note not in have]


def _forward(wanted: Open, chain: BaseChain) -> list[bytes]:
    return [
        _only(chain, family) + load(family) + within(net, ex.EQUAL) + ex.verdict(ex.ACCEPT)
        for family in _families(chain)
        for net in map(ranges.subnet, _nets(wanted.pods, 4 if family == INET4 else 6))
        for load in (source, destination)
    ]


def _input(wanted: Open, chain: BaseChain) -> list[bytes]:
    made = []
    for family in _families(chain):
        for ip, port in sorted(wanted.tunnels):
            if _version(ip) == (4 if family == INET4 else 6):
                from_node = source(family) + ex.compare(R0, ex.EQUAL, ranges.parse(ip))
                udp = ex.meta(R0, ex.META_L4PROTO) + ex.compare(R0, ex.EQUAL, bytes([_UDP]))
                to_port = ex.payload(R0, ex.TRANSPORT_HEADER, 2, 2) + ex.compare(R0, ex.EQUAL, struct.pack(">H", port))
                made.append(_only(chain, family) + from_node + udp + to_port + ex.verdict(ex.ACCEPT))
    return made


def _families(chain: BaseChain) -> tuple[int, ...]:
    return (INET4, INET6) if chain.family == INET else (chain.family,)


def _only(chain: BaseChain, family: int) -> bytes:
    """Go on only for packets of this family, where a chain sees both."""
    return ex.meta(R0, _PROTO_META) + ex.compare(R0, ex.EQUAL, bytes([family])) if chain.family == INET else b""


def _nets(texts: Iterable[str], version: int) -> list[str]:
    return sorted({str(ranges.subnet(text)) for text in texts if _version(text) == version})


def _version(text: str) -> int:
    return 6 if ":" in text else 4
