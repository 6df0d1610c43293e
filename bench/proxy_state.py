"""The same Services for all: as the API server's JSON for our proxy, and as upstream's chains for its peer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

NAMESPACE = "bench"


@dataclass(frozen=True)
class Size:
    """How much there is."""

    services: int
    endpoints: int

    def __str__(self) -> str:
        return f"{self.services}x{self.endpoints}"


def address(base: int, number: int) -> str:
    """The number-th address after a base."""
    value = base + number
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def vip(number: int) -> str:
    """Spread over 10.96.0.0/12, as an API server does."""
    return address(0x0A600001, (number * 61) % (1 << 20))


def pod(size: Size, service: int, number: int) -> str:
    """An endpoint: no two are alike; index `endpoints` and above are spare ones."""
    return address(0x0A800001, service * (size.endpoints + 4) + number)


def service_json(number: int, revision: int) -> bytes:
    """One Service."""
    return (
        f'{{"kind":"Service","apiVersion":"v1","metadata":{{"name":"svc-{number}","namespace":"{NAMESPACE}",'
        f'"uid":"00000000-0000-0000-0000-{number:012d}","resourceVersion":"{revision}",'
        f'"creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app":"svc-{number}"}}}},'
        f'"spec":{{"ports":[{{"name":"http","protocol":"TCP","port":80,"targetPort":8080}}],'
        f'"selector":{{"app":"svc-{number}"}},"clusterIP":"{vip(number)}","clusterIPs":["{vip(number)}"],'
        f'"type":"ClusterIP","sessionAffinity":"None","ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack",'
        f'"internalTrafficPolicy":"Cluster"}},"status":{{"loadBalancer":{{}}}}}}'
    ).encode()


def slice_json(size: Size, number: int, members: list[int], revision: int) -> bytes:
    """The EndpointSlice of one Service, with these of its pods; a node has about a hundred."""
    nodes, first = max(50, size.services * size.endpoints // 100), number * size.endpoints
    endpoints = ",".join(
        f'{{"addresses":["{pod(size, number, index)}"],"conditions":{{"ready":true,"serving":true,"terminating":false}},'
        f'"targetRef":{{"kind":"Pod","namespace":"{NAMESPACE}","name":"svc-{number}-5d4f8c7b9-{index:05d}",'
        f'"uid":"11111111-0000-0000-{index:04d}-{number:012d}"}},"nodeName":"node-{(first + index) % nodes}","zone":"zone-a"}}'
        for index in members
    )
    return (
        f'{{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{{"name":"svc-{number}-abcde",'
        f'"namespace":"{NAMESPACE}","uid":"22222222-0000-0000-0000-{number:012d}","resourceVersion":"{revision}",'
        f'"labels":{{"endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io",'
        f'"kubernetes.io/service-name":"svc-{number}"}}}},"addressType":"IPv4","endpoints":[{endpoints}],'
        f'"ports":[{{"name":"http","port":8080,"protocol":"TCP"}}]}}'
    ).encode()


def services(size: Size) -> Iterator[bytes]:
    """All Services."""
    return (service_json(number, number + 1) for number in range(size.services))


def slices(size: Size) -> Iterator[bytes]:
    """All EndpointSlices."""
    return (slice_json(size, number, list(range(size.endpoints)), number + 1) for number in range(size.services))


# Upstream's layouts


def _name(kind: str, number: int, index: int = 0) -> str:
    return f"{kind}-{hashlib.sha256(f'{number}/{index}'.encode()).hexdigest()[:16].upper()}"


def nft_peer(size: Size) -> str:
    """One chain per Service, one per endpoint, one map of verdicts."""
    lines = [
        "add table ip peer",
        "add map ip peer service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }",
        "add chain ip peer mark-for-masquerade",
        "add rule ip peer mark-for-masquerade mark set mark or 0x4000",
        "add chain ip peer services",
        "add rule ip peer services ip daddr . meta l4proto . th dport vmap @service-ips",
        "add chain ip peer nat-prerouting { type nat hook prerouting priority -100 ; }",
        "add rule ip peer nat-prerouting jump services",
    ]
    for number in range(size.services):
        lines += nft_peer_service(size, number, list(range(size.endpoints)))
        lines.append(
            f"add element ip peer service-ips {{ {vip(number)} . tcp . 80 : goto {_name('service', number)} }}"
        )
    return "\n".join(lines) + "\n"


def nft_peer_service(size: Size, number: int, members: list[int]) -> list[str]:
    """The chains of one Service."""
    chain = _name("service", number)
    lines = [f"add chain ip peer {chain}"]
    for index in members:
        endpoint, ip = _name("endpoint", number, index), pod(size, number, index)
        lines.append(f"add chain ip peer {endpoint}")
        lines.append(f"add rule ip peer {endpoint} ip saddr {ip} jump mark-for-masquerade")
        lines.append(f"add rule ip peer {endpoint} meta l4proto tcp dnat to {ip}:8080")
    lines.append(
        f"add rule ip peer {chain} ip daddr {vip(number)} tcp dport 80 ip saddr != 10.128.0.0/9 jump mark-for-masquerade"
    )
    targets = ", ".join(f"{place} : goto {_name('endpoint', number, index)}" for place, index in enumerate(members))
    lines.append(f"add rule ip peer {chain} numgen random mod {len(members)} vmap {{ {targets} }}")
    return lines


def nft_peer_change(size: Size, number: int) -> list[str]:
    """One endpoint is replaced by another, and back."""
    members = list(range(size.endpoints))
    forward = [*members[1:], size.endpoints]
    texts = []
    for now, gone in ((forward, 0), (members, size.endpoints)):
        kept = [f"flush chain ip peer {_name('service', number)}"]
        kept += [
            f"flush chain ip peer {_name('endpoint', number, index)}"
            for index in now
            if index not in (0, size.endpoints)
        ]
        gone_chain = _name("endpoint", number, gone)
        lines = [
            *kept,
            *nft_peer_service(size, number, now),
            f"flush chain ip peer {gone_chain}",
            f"delete chain ip peer {gone_chain}",
        ]
        texts.append("\n".join(lines) + "\n")
    return texts


def iptables_peer(size: Size) -> str:
    """KUBE-SERVICES with a rule per Service, KUBE-SVC and KUBE-SEP chains."""
    heads, rules = [":KUBE-SERVICES - [0:0]", ":KUBE-MARK-MASQ - [0:0]"], ["-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000"]
    for number in range(size.services):
        more_heads, more_rules = iptables_peer_service(size, number, list(range(size.endpoints)))
        heads += more_heads
        rules += more_rules
        rules.append(
            f'-A KUBE-SERVICES -m comment --comment "{NAMESPACE}/svc-{number}:http cluster IP" -m tcp -p tcp '
            f"-d {vip(number)} --dport 80 -j {_name('KUBE-SVC', number)}"
        )
    hook = "-A PREROUTING -j KUBE-SERVICES"
    return "\n".join(("*nat", *heads, *rules, hook, "COMMIT")) + "\n"


def iptables_peer_service(size: Size, number: int, members: list[int]) -> tuple[list[str], list[str]]:
    """The chains and rules of one Service."""
    chain = _name("KUBE-SVC", number)
    comment = f'-m comment --comment "{NAMESPACE}/svc-{number}:http'
    heads = [f":{chain} - [0:0]"]
    rules = [
        f'-A {chain} {comment} cluster IP" -m tcp -p tcp -d {vip(number)} --dport 80 ! -s 10.128.0.0/9 -j KUBE-MARK-MASQ'
    ]
    for place, index in enumerate(members):
        endpoint, ip = _name("KUBE-SEP", number, index), pod(size, number, index)
        left = len(members) - place
        chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        heads.append(f":{endpoint} - [0:0]")
        rules.append(f'-A {chain} {comment} -> {ip}:8080" {chance}-j {endpoint}')
        rules.append(f'-A {endpoint} {comment}" -s {ip} -j KUBE-MARK-MASQ')
        rules.append(f'-A {endpoint} {comment}" -m tcp -p tcp -j DNAT --to-destination {ip}:8080')
    return heads, rules


def iptables_peer_change(size: Size, number: int) -> list[str]:
    """One endpoint is replaced by another, and back."""
    members = list(range(size.endpoints))
    texts = []
    for now, gone in (([*members[1:], size.endpoints], 0), (members, size.endpoints)):
        heads, rules = iptables_peer_service(size, number, now)
        gone_chain = _name("KUBE-SEP", number, gone)
        texts.append("\n".join(("*nat", *heads, f":{gone_chain} - [0:0]", *rules, f"-X {gone_chain}", "COMMIT")) + "\n")
    return texts
