"""Kubeconfig files: which server to ask, how to know it, how to prove who we are."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kit import documents

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(Exception):
    """The file cannot be used; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach one API server. Certificates and keys are PEM; `token_file` is read again when it changes."""

    server: str
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    token: str = ""
    token_file: str = ""
    server_name: str = ""
    verify: bool = True
    namespace: str = "default"


class _Base(msgspec.Struct, rename="kebab"):
    pass


class _Cluster(_Base):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""


class _User(_Base):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    username: str = ""
    exec: Any = None
    auth_provider: Any = None


class _Context(_Base):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(_Base):
    name: str
    cluster: _Cluster


class _NamedUser(_Base):
    name: str
    user: _User


class _NamedContext(_Base):
    name: str
    context: _Context


class _File(_Base):
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None
    current_context: str = ""


def load(path: str | Path, context: str = "") -> Access:
    """Read the current (or the given) context of a kubeconfig file."""
    path = Path(path)
    try:
        document = documents.read(path.read_bytes())
        file = msgspec.convert({} if document is None else document, _File)
        return _access(file, context, path.parent)
    except OSError as error:
        raise KubeconfigError(f"cannot read kubeconfig {path}: {error.filename}: {error.strerror}") from error
    except (documents.DocumentError, msgspec.ValidationError, ValueError) as error:
        raise KubeconfigError(f"cannot use kubeconfig {path}: {error}") from error


def in_cluster(environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Access:
    """For a program in a pod: the server that its environment names, and what its service account was given."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not (host and port):
        raise KubeconfigError(
            "cannot find the API server: this is not a pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
            "set), so give a kubeconfig"
        )
    token = account / "token"
    try:
        ca, namespace = (account / "ca.crt").read_bytes(), account / "namespace"
        token.read_bytes()
        where = namespace.read_text().strip() if namespace.exists() else ""
    except OSError as error:
        raise KubeconfigError(
            f"cannot use the pod's service account: {error.filename}: {error.strerror}; it must be mounted, or give a "
            "kubeconfig"
        ) from error
    host = f"[{host}]" if ":" in host else host
    return Access(f"https://{host}:{port}", ca=ca, token_file=str(token), namespace=where or "default")


def render(access: Access, name: str = "wherry") -> str:
    """A kubeconfig with everything embedded, for `kubectl` and for `load`."""
    cluster: dict[str, Any] = {"server": access.server}
    if access.ca:
        cluster["certificate-authority-data"] = base64.b64encode(access.ca).decode()
    if access.server_name:
        cluster["tls-server-name"] = access.server_name
    user: dict[str, Any] = {}
    if access.cert and access.key:
        user["client-certificate-data"] = base64.b64encode(access.cert).decode()
        user["client-key-data"] = base64.b64encode(access.key).decode()
    if access.token:
        user["token"] = access.token
    return documents.write(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )


def _access(file: _File, wanted: str, base: Path) -> Access:
    wanted = wanted or file.current_context
    if not wanted:
        raise ValueError("it has no current-context")
    context = next((entry.context for entry in file.contexts or [] if entry.name == wanted), None)
    if context is None:
        raise ValueError(f"there is no context {wanted!r}")
    cluster = next((entry.cluster for entry in file.clusters or [] if entry.name == context.cluster), None)
    if cluster is None:
        raise ValueError(f"there is no cluster {context.cluster!r}")
    user = next((entry.user for entry in file.users or [] if entry.name == context.user), None)
    if user is None:
        if context.user:
            raise ValueError(f"there is no user {context.user!r}")
        user = _User()
    if urlsplit(cluster.server).scheme not in ("http", "https"):
        raise ValueError(f"cluster {context.cluster!r} has no http or https server: {cluster.server!r}")
    if user.exec or user.auth_provider or user.username:
        raise ValueError(f"user {context.user!r} needs exec, auth-provider or a password: use a certificate or a token")
    cert = _pem(user.client_certificate_data, user.client_certificate, base, "client-certificate")
    key = _pem(user.client_key_data, user.client_key, base, "client-key")
    if (cert is None) != (key is None):
        raise ValueError(f"user {context.user!r} needs both client-certificate and client-key")
    return Access(
        server=cluster.server.rstrip("/"),
        ca=_pem(cluster.certificate_authority_data, cluster.certificate_authority, base, "certificate-authority"),
        cert=cert,
        key=key,
        token=user.token,
        token_file=str(base / user.token_file) if user.token_file else "",
        server_name=cluster.tls_server_name,
        verify=not cluster.insecure_skip_tls_verify,
        namespace=context.namespace or "default",
    )


def _pem(data: str, file: str, base: Path, field: str) -> bytes | None:
    """What is embedded wins over a file; a relative file name is relative to the kubeconfig."""
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise ValueError(f"{field}-data is not base64") from error
    return (base / file).read_bytes() if file else None
