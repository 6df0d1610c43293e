"""A CNI request from first byte to last: the same code in the daemon and alone.

Order of an ADD: reserve (durable) -> look -> plan -> carry out -> answer; of a DEL: mark as leaving and take its host ports
out of the rules -> remove the link -> release. See cni.ipam for why a kill between any two of these is harmless.
"""

import json
from collections.abc import Mapping
from typing import Any

from cni import config, loopback, plan, ranges, request, resolver, result
from cni.bridge import Execution, observe, path_mtu
from cni.errors import CHECK_FAILED, CONFIG, INTERFACE_TAKEN, INTERNAL, IO, KERNEL, UNAVAILABLE, CniError
from cni.host import Host
from cni.ipam import Attachment, Owner, Store, network_of
from cni.ports import PREFIX, SHAPER, port_name, shaper_name
from cni.request import Request
from cni.rules import Rules
from linux.links import NetlinkError


def answer(
    environment: Mapping[str, str], body: bytes, host: Host, store: Store, *, again: bool = False
) -> tuple[int, bytes]:
    """Exit code and standard output for one call of the plugin; `again`: a daemon may have died over the same call."""
    try:
        raw = config.decode(body)
        if environment.get("CNI_COMMAND") == "VERSION":
            return version(body)
        return 0, _print(_serve(request.parse(environment, raw), host, store, again=again))
    except CniError as error:
        return failed(body, error)
    except NetlinkError as error:
        return failed(body, CniError(KERNEL, str(error)))
    except Exception as error:  # the edge: one request must not hurt another
        text = f"cannot serve the request: {type(error).__name__}: {error}"
        return failed(body, CniError(INTERNAL, text))


def addresses(environment: Mapping[str, str], body: bytes, store: Store) -> list[str]:
    """The addresses that the attachment of a call has now; none for a call that cannot be understood."""
    try:
        held = store.find(owner_of(request.parse(environment, config.decode(body))))
    except CniError:
        return []
    return [ranges.show(ip) for ip in held.ips] if held is not None else []


def version(body: bytes) -> tuple[int, bytes]:
    """The answer to VERSION, which needs no daemon, no kernel and no data."""
    return 0, _print({"cniVersion": _spoken(body), "supportedVersions": list(config.VERSIONS)})


def failed(body: bytes, error: CniError) -> tuple[int, bytes]:
    """The answer for an error, in the version that the request speaks."""
    return 1, _print(error.to_json(_spoken(body)))


def _spoken(body: bytes) -> str:
    """The version that the request speaks if it is one of ours, else our newest."""
    try:
        asked = config.decode(body).get("cniVersion")
    except CniError:
        asked = None
    return asked if asked in config.VERSIONS else config.NEWEST


def _print(body: Mapping[str, Any] | None) -> bytes:
    return b"" if body is None else json.dumps(body).encode() + b"\n"


def _serve(asked: Request, host: Host, store: Store, *, again: bool) -> Mapping[str, Any] | None:
    if asked.network.type == "loopback":
        return loopback.serve(asked, host)
    match asked.command:
        case "ADD":
            return add(asked, host, store, again=again)
        case "DEL":
            delete(owner_of(asked), host, store)
        case "CHECK":
            check(asked, host, store)
        case "GC":
            collect(asked.network.name, asked.network.valid or frozenset(), host, store)
        case _:
            status(asked, store)
    return None


def owner_of(asked: Request) -> Owner:
    """The attachment that a request is about."""
    return Owner(asked.network.name, asked.container, asked.ifname)


def add(asked: Request, host: Host, store: Store, *, again: bool = False) -> Mapping[str, Any]:
    """Give a pod its interface; the result object. What the pod has already is an error, unless the call may be a repeated one."""
    owner, rules = owner_of(asked), Rules(host, store)
    with host.pod(asked.netns) as pod:
        if not again and store.find(owner) is not None and pod.links.find(asked.ifname) is not None:
            text = f"cannot make {asked.ifname} in {asked.netns}: {asked.container} has it already in network {owner.network}"
            raise CniError(INTERFACE_TAKEN, text, "DEL it before another ADD")
        network = asked.network._replace(dns=asked.network.dns or _resolver(asked.network.resolver))
        known = store.network(owner.network)
        held, fresh = store.reserve(owner, asked.netns, port_name(*owner), asked.network)
        try:
            right = known == network_of(asked.network) and rules.there(known)
            admitted = right and not fresh and not rules.problems(held)
            want = plan.wanted(asked, held, 0 if asked.network.mtu else path_mtu(host.links))
            seen = observe(host, pod, network=asked.network, port=held.link, ifname=asked.ifname)
            # Elements of an attachment that was there before may be of another address: then all is written anew.
            seen = seen._replace(rules_right=right and (fresh or admitted), admitted=admitted)
            Execution(host, pod, rules, held).run(plan.plan_add(want, seen))
            rules.forget_flows(held, keep=True)
        except BaseException:
            if fresh:
                _give_back(held, rules)
            raise
        macs = (_mac(host, asked.network.bridge), _mac(host, held.link))
    return result.render(network, plan.interfaces(want, *macs), want.addresses, want.routes)


def _mac(host: Host, name: str) -> str:
    found = host.links.find(name)
    return found.mac if found else ""


def _resolver(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return resolver.parse(file.read())
    except OSError as error:
        raise CniError(IO, f"cannot read ipam.resolvConf {path}: {error.strerror}") from error


def _give_back(held: Attachment, rules: Rules) -> None:
    if held.ports:
        rules.write(leaving=held.owner)
    rules.release(held.owner)


def delete(owner: Owner, host: Host, store: Store) -> None:
    """Take a pod's interface away. Whether its namespace is still there does not matter."""
    held, rules = store.find(owner), Rules(host, store)
    if held is not None and held.ports:
        rules.write(leaving=owner)
        rules.forget_flows(held, keep=False)
    host.remove_port(held.link if held else port_name(*owner))
    rules.release(owner)


def check(asked: Request, host: Host, store: Store) -> None:
    """Fail if the interface is not as its ADD said."""
    owner = owner_of(asked)
    held = store.find(owner)
    port = held.link if held else port_name(*owner)
    with host.pod(asked.netns) as pod:
        seen = observe(host, pod, network=asked.network, port=port, ifname=asked.ifname)
        try:
            found = plan.check(asked, held, seen, port)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise CniError(CONFIG, f"cannot use prevResult: {error}") from error
    if held is not None:
        found += Rules(host, store).problems(held)
    if found:
        raise CniError(CHECK_FAILED, f"{asked.container}/{asked.ifname} is damaged: {found[0]}", "; ".join(found))


def collect(network: str, valid: frozenset[tuple[str, str]], host: Host, store: Store) -> None:
    """Free what no valid attachment owns. Goes on after a failure, and tells of all."""
    failures: list[str] = []
    for held in store.state().attachments:
        if held.owner.network == network and held.owner[1:] not in valid:
            try:
                delete(held.owner, host, store)
            except (CniError, NetlinkError) as error:
                failures.append(str(error))
    strays, more = _remove_strays(host, store)
    if strays:
        Rules(host, store).write()  # what knew of them knew of more that is gone
    failures += more
    if failures:
        raise CniError(KERNEL, f"cannot collect everything: {failures[0]}", "; ".join(failures))


def _remove_strays(host: Host, store: Store) -> tuple[int, list[str]]:
    """Ports of our bridges, and what limits ports, that no attachment knows: a lost database's. How many went, and failures."""
    gone, failures = 0, []
    links = host.links.links()
    state = store.state()  # after the links: an attachment is written before its link is made
    bridges = {link.ifindex for link in links if link.name in {network.bridge for network in state.networks}}
    known = {held.link for held in state.attachments} | {network.gateway_port for network in state.networks}
    known |= set(map(shaper_name, known))
    for link in links:
        ours = link.master in bridges and link.name.startswith(PREFIX)
        limits = link.kind == "ifb" and link.name.startswith(SHAPER)
        if (ours or limits) and link.name not in known:
            try:
                gone += host.remove_port(link.name)
            except NetlinkError as error:
                failures.append(str(error))
    return gone, failures


def status(asked: Request, store: Store) -> None:
    """Fail if an ADD could not be served now."""
    for one_set in asked.network.range_sets:
        if store.free(asked.network, one_set) <= 0:
            shown = ", ".join(str(one) for one in one_set)
            raise CniError(UNAVAILABLE, f"no addresses left in {shown} of network {asked.network.name}")


def sweep(host: Host, store: Store) -> list[Owner]:
    """Forget attachments that a reboot ended: neither namespace nor link is there. Those that are there stay."""
    state = store.state()
    names = {link.name for link in host.links.links()}
    gone = [held for held in state.attachments if held.link not in names and not host.pod_exists(held.netns)]
    for held in gone:
        host.remove_port(held.link)  # what limited it may have outlived it
        Rules(host, store).release(held.owner)
    return [held.owner for held in gone]
