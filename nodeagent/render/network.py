"""Names and resolvers of a pod: hostname, /etc/hosts, DNS."""

from api.core_v1 import Pod
from nodeagent.model.spec import is_host_network
from nodeagent.render.settings import ConfigProblem, NodeSettings, ResolvConf

MAX_HOSTNAME, MAX_FQDN = 63, 64
MAX_SEARCH = 253
MAX_SERVERS, MAX_SEARCHES, MAX_SEARCH_TEXT = 3, 32, 2048
MANAGED = "# Kubernetes-managed hosts file.\n"
MANAGED_HOST = "# Kubernetes-managed hosts file (host network).\n"
_LOCAL = """\
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


def hostname_and_domain(pod: Pod, node: NodeSettings) -> tuple[str, str]:
    """The name a pod gives itself, and the domain it has with a subdomain."""
    if pod.spec.hostname_override:
        return pod.spec.hostname_override[:MAX_HOSTNAME].rstrip("-."), ""
    name = (pod.spec.hostname or pod.metadata.name or "")[:MAX_HOSTNAME].rstrip("-.")
    subdomain = pod.spec.subdomain
    return name, f"{subdomain}.{pod.metadata.namespace}.svc.{node.cluster_domain}" if subdomain else ""


def kernel_hostname(pod: Pod, node: NodeSettings) -> str:
    """What hostname(1) says in the pod."""
    name, domain = hostname_and_domain(pod, node)
    return f"{name}.{domain}" if domain and pod.spec.set_hostname_as_fqdn else name


def hosts_file(pod: Pod, ips: tuple[str, ...], node: NodeSettings, host_file: str) -> str:
    """The pod's /etc/hosts; on the host's network it is the host's own, with the pod's aliases."""
    aliases = "".join(f"{alias.ip}\t{chr(9).join(alias.hostnames)}\n" for alias in pod.spec.host_aliases)
    extra = f"\n# Entries added by HostAliases.\n{aliases}" if aliases else ""
    if is_host_network(pod):
        return MANAGED_HOST + host_file + extra
    name, domain = hostname_and_domain(pod, node)
    names = f"{name}.{domain}\t{name}" if domain else name
    return MANAGED + _LOCAL + "".join(f"{ip}\t{names}\n" for ip in ips) + extra


def wished_resolv_conf(pod: Pod, node: NodeSettings) -> ResolvConf:
    """Where the pod asks for names, by its DNS policy and its own additions."""
    base = _by_policy(pod, node)
    own = pod.spec.dns_config
    if own is not None:
        options = {option.partition(":")[0]: option for option in base.options}
        for chosen in own.options:
            name = chosen.name or ""
            options[name] = f"{name}:{chosen.value}" if chosen.value else name
        base = ResolvConf(
            tuple(dict.fromkeys((*base.servers, *own.nameservers))),
            tuple(dict.fromkeys((*base.searches, *own.searches))),
            tuple(options.values()),
        )
    return base


def resolv_conf(pod: Pod, node: NodeSettings) -> ResolvConf:
    """Where the pod asks for names: no more than resolvers can take."""
    wished = wished_resolv_conf(pod, node)
    return ResolvConf(wished.servers[:MAX_SERVERS], _fitting(wished.searches), wished.options)


def omitted(pod: Pod, node: NodeSettings) -> list[str]:
    """What of it resolvers cannot take, in upstream's words."""
    wished, given = wished_resolv_conf(pod, node), resolv_conf(pod, node)
    messages = []
    if wished.servers != given.servers:
        line = " ".join(given.servers)
        text = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
        messages.append(text + line)
    if wished.searches != given.searches:
        line = " ".join(given.searches)
        text = "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
        messages.append(text + line)
    return messages


def check_fqdn(pod: Pod, node: NodeSettings) -> None:
    """Whether the kernel takes the name that the pod is to have. Raises `ConfigProblem`."""
    name = kernel_hostname(pod, node)
    if len(name) > MAX_FQDN:
        text = f"failed to construct FQDN from pod hostname and cluster domain, FQDN {name} is too long"
        raise ConfigProblem(f"{text} ({MAX_FQDN} characters is the max, {len(name)} characters requested)")


def _by_policy(pod: Pod, node: NodeSettings) -> ResolvConf:
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "None":
        return ResolvConf()
    cluster = policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not is_host_network(pod))
    if not cluster or not node.cluster_dns:
        return node.resolv_conf
    domain = node.cluster_domain
    own = (f"{pod.metadata.namespace}.svc.{domain}", f"svc.{domain}", domain)
    return ResolvConf(node.cluster_dns, tuple(dict.fromkeys((*own, *node.resolv_conf.searches))), ("ndots:5",))


def _fitting(searches: tuple[str, ...]) -> tuple[str, ...]:
    kept: list[str] = []
    for search in searches[:MAX_SEARCHES]:
        if len(search) > MAX_SEARCH:
            continue  # some resolvers cannot stand it
        if len(" ".join([*kept, search])) > MAX_SEARCH_TEXT:
            break
        kept.append(search)
    return tuple(kept)


def parse_resolv_conf(text: str) -> ResolvConf:
    """The host's own resolver configuration."""
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = [word.rstrip(".") if word != "." else word for word in words[1:]]
        elif words[0] == "options":
            options = words[1:]
    return ResolvConf(tuple(servers), tuple(searches), tuple(options))
