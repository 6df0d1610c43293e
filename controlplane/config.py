"""What the control plane is told: its file `controlplane.yaml`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from controlplane.apiserver.identity import token_file
from controlplane.apiserver.identity.front_proxies import FrontSettings
from controlplane.apiserver.identity.settings import ISSUER
from controlplane.apiserver.identity.signing import SigningKey, verify_keys
from controlplane.store.choice import Etcd
from kit import config
from kit.config import ConfigError, Section
from kit.http.server import ListenError, parse_address
from kit.http.tls import TlsError, fingerprints
from kit.pki import PkiError

STORE_FILE = "store.db"


class Pki(Section, frozen=True, kw_only=True):
    """Paths of certificates and keys, PEM."""

    ca_cert: str
    serving_cert: str
    serving_key: str
    kubelet_client_cert: str
    kubelet_client_key: str
    service_account_key: str  # signs the tokens of service accounts
    # Private or public keys whose tokens are accepted as well: the one before, or the one to come, while they are changed.
    service_account_verification_keys: tuple[str, ...] = ()
    ca_key: str = ""  # files of older clusters name it; the control plane signs nothing with it


class RequestHeader(Section, frozen=True, kw_only=True):
    """Front proxies, who say in headers who the user is: by which authority they are known, and in which headers they say it."""

    client_ca: str
    allowed_names: tuple[str, ...] = ()  # common names; none are all that the authority has signed
    username_headers: tuple[str, ...] = ("X-Remote-User",)
    uid_headers: tuple[str, ...] = ("X-Remote-Uid",)
    group_headers: tuple[str, ...] = ("X-Remote-Group",)
    extra_headers_prefix: tuple[str, ...] = ("X-Remote-Extra-",)

    def problem(self, ca_cert: str) -> str:
        """What is wrong, "" if nothing; `ca_cert` is the file with the authority of all other clients."""
        texts = (
            self.allowed_names,
            self.username_headers,
            self.uid_headers,
            self.group_headers,
            self.extra_headers_prefix,
        )
        if any(not text or text != text.strip() for some in texts for text in some):
            return "a name is empty or has blanks around it"
        if not self.username_headers:
            return "usernameHeaders names no header"
        try:
            proxies = fingerprints(Path(self.client_ca).read_text())
        except (OSError, ValueError, TlsError) as error:
            return f"cannot read {self.client_ca}: {getattr(error, 'strerror', None) or error}"
        if not proxies:
            return f"{self.client_ca} holds no certificate"
        if not self.allowed_names and not proxies.isdisjoint(_authorities(ca_cert)):
            return f"{self.client_ca} and {ca_cert} share an authority: without allowedNames any client could say that it is anybody"
        return ""

    def settings(self) -> FrontSettings:
        """The same, read."""
        return FrontSettings(
            Path(self.client_ca).read_text(),
            self.allowed_names,
            self.username_headers,
            self.uid_headers,
            self.group_headers,
            self.extra_headers_prefix,
        )


class Store(Section, frozen=True, kw_only=True):
    """Where objects are kept: `sqlite`, a file (default: store.db in dataDir), or `etcd`, which several control planes may share."""

    sqlite: str = ""
    etcd: Etcd | None = None


class Config(Section, frozen=True, kw_only=True):
    """One control plane: API server, scheduler, controllers and store in one process."""

    data_dir: str
    advertise_address: str
    pki: Pki
    listen: tuple[str, ...] = ("127.0.0.1:6443",)
    pod_cidr: str = "10.244.0.0/16"
    node_cidr_size: int = 24
    service_cidr: str = "10.96.0.0/12"
    node_port_range: str = "30000-32767"
    max_requests_inflight: int = 400
    max_mutating_requests_inflight: int = 200
    store: Store = Store()
    service_account_issuer: str = ISSUER
    api_audiences: tuple[str, ...] = ()  # default: the issuer
    request_header: RequestHeader | None = None
    token_auth_file: str = ""  # static tokens, one a line: TOKEN,USER,UID,"GROUP,..."

    @property
    def store_place(self) -> Path | Etcd:
        """What `controlplane.store.choice.open_store` opens."""
        return self.store.etcd or Path(self.store.sqlite or Path(self.data_dir, STORE_FILE))

    @property
    def service_cidrs(self) -> tuple[str, ...]:
        """One range, or one per address family."""
        return tuple(part.strip() for part in self.service_cidr.split(","))

    @property
    def node_ports(self) -> tuple[int, int]:
        """The first and last node port."""
        first, _, last = self.node_port_range.partition("-")
        return int(first), int(last)


def load(path: str | Path) -> Config:
    """Read and check the file. Raises ConfigError."""
    found = config.load(Config, path)
    for field, problem in _problems(found).items():
        if problem:
            raise ConfigError(f"cannot use {path}: field {field}: {problem}")
    return found


def _problems(found: Config) -> dict[str, str]:
    """What is wrong with each field that has a form of its own."""
    return {
        "listen": _listen_problem(found.listen),
        "advertiseAddress": _address_problem(found.advertise_address),
        "podCidr": _ranges_problem(found.pod_cidr),
        "serviceCidr": _ranges_problem(found.service_cidr),
        "nodePortRange": _ports_problem(found.node_port_range),
        "maxRequestsInflight": _limit_problem(found.max_requests_inflight),
        "maxMutatingRequestsInflight": _limit_problem(found.max_mutating_requests_inflight),
        "store": _store_problem(found.store),
        "serviceAccountIssuer": _issuer_problem(found.service_account_issuer),
        "tokenAuthFile": _token_file_problem(found.token_auth_file),
        "requestHeader": found.request_header.problem(found.pki.ca_cert) if found.request_header else "",
        "pki.serviceAccountKey": _key_problem(SigningKey, found.pki.service_account_key),
        "pki.serviceAccountVerificationKeys": next(
            filter(None, (_key_problem(verify_keys, path) for path in found.pki.service_account_verification_keys)), ""
        ),
    }


def _store_problem(store: Store) -> str:
    if store.etcd is None:
        return ""
    if store.sqlite:
        return "either sqlite or etcd is given, not both"
    return store.etcd.problem()


def _issuer_problem(issuer: str) -> str:
    parts = urlsplit(issuer)
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment:
        return f"{issuer!r} is not a URL https://HOST/PATH without query and fragment"
    return ""


def _authorities(path: str) -> frozenset[str]:
    """None of a file that cannot be read: the server itself says so when it starts."""
    try:
        return fingerprints(Path(path).read_text())
    except (OSError, ValueError, TlsError):
        return frozenset()


def _token_file_problem(path: str) -> str:
    try:
        if path:
            token_file.load(path)
    except token_file.TokenFileError as error:
        return str(error)
    return ""


def _key_problem(read: Callable[[bytes], object], path: str) -> str:
    try:
        read(Path(path).read_bytes())
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    except PkiError as error:
        return f"{path}: {error}"
    return ""


def _listen_problem(addresses: tuple[str, ...]) -> str:
    if not addresses:
        return "at least one HOST:PORT is needed"
    try:
        for address in addresses:
            parse_address(address)
    except ListenError as error:
        return str(error)
    return ""


def _address_problem(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"{address!r} is not an IP address"
    if parsed.is_loopback or parsed.is_unspecified:
        return f"{address} cannot be reached by nodes and pods; give the address of this host on their network"
    return ""


def _ranges_problem(ranges: str) -> str:
    families = set()
    for part in ranges.split(","):
        try:
            families.add(ipaddress.ip_network(part.strip()).version)
        except ValueError as error:
            return f"{part.strip()!r} is no network: {error}"
    return "" if len(families) == ranges.count(",") + 1 else f"{ranges!r} has two ranges of one address family"


def _limit_problem(limit: int) -> str:
    return "" if limit >= 0 else f"{limit} is no limit; 0 is none at all"


def _ports_problem(ports: str) -> str:
    match = re.fullmatch(r"(\d+)-(\d+)", ports)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    return "" if 0 < first <= last <= 65535 else f"{ports!r} is not FIRST-LAST, such as 30000-32767"
