"""Rules for ConfigMaps, Secrets and ServiceAccounts."""

import msgspec

from api import names
from api.core_v1 import ConfigMap, Secret, ServiceAccount
from api.validation import metadata
from api.validation.problems import Problems

_LIMIT = 1024 * 1024
_IMMUTABLE = "field is immutable when `immutable` is set"
_JSON_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"


def create_config_map(found: Problems, obj: ConfigMap) -> None:
    """A new ConfigMap."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _config_map(found, obj)


def update_config_map(found: Problems, new: ConfigMap, old: ConfigMap) -> None:
    """A changed ConfigMap."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    if old.immutable:
        if not new.immutable:
            found.forbidden("immutable", _IMMUTABLE)
        if new.data != old.data:
            found.forbidden("data", _IMMUTABLE)
        if new.binary_data != old.binary_data:
            found.forbidden("binaryData", _IMMUTABLE)
    _config_map(found, new)


def _config_map(found: Problems, obj: ConfigMap) -> None:
    for key in obj.data:
        found.invalid_all(f"data[{key}]", key, names.config_key(key))
        if key in obj.binary_data:
            found.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in obj.binary_data:
        found.invalid_all(f"binaryData[{key}]", key, names.config_key(key))
    size = sum(len(text.encode()) for text in obj.data.values())
    if size + sum(len(data) for data in obj.binary_data.values()) > _LIMIT:
        found.too_long("", _LIMIT)


def create_secret(found: Problems, obj: Secret) -> None:
    """A new Secret."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _secret(found, obj)


def update_secret(found: Problems, new: Secret, old: Secret) -> None:
    """A changed Secret."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    found.immutable("type", new.type, old.type)
    if old.immutable:
        if not new.immutable:
            found.forbidden("immutable", _IMMUTABLE)
        if new.data != old.data:
            found.forbidden("data", _IMMUTABLE)
    _secret(found, new)


def _secret(found: Problems, obj: Secret) -> None:
    for key in obj.data:
        found.invalid_all(f"data[{key}]", key, names.config_key(key))
    if sum(len(data) for data in obj.data.values()) > _LIMIT:
        found.too_long("data", _LIMIT)
    match obj.type:
        case "kubernetes.io/service-account-token":
            if not obj.metadata.annotations.get(_SERVICE_ACCOUNT):
                found.required(f"metadata.annotations[{_SERVICE_ACCOUNT}]")
        case "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson":
            _json(found, obj, _JSON_KEYS[obj.type])
        case "kubernetes.io/basic-auth":
            if "username" not in obj.data and "password" not in obj.data:
                found.required("data[username]")
                found.required("data[password]")
        case "kubernetes.io/ssh-auth":
            if not obj.data.get("ssh-privatekey"):
                found.required("data[ssh-privatekey]")
        case "kubernetes.io/tls":
            for key in ("tls.crt", "tls.key"):
                if key not in obj.data:
                    found.required(f"data[{key}]")


def _json(found: Problems, obj: Secret, key: str) -> None:
    if key not in obj.data:
        found.required(f"data[{key}]")
        return
    try:
        msgspec.json.decode(obj.data[key], type=dict[str, object])
    except msgspec.DecodeError as error:
        found.invalid(f"data[{key}]", "<secret contents redacted>", str(error))


def create_service_account(found: Problems, obj: ServiceAccount) -> None:
    """A new ServiceAccount."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)


def update_service_account(found: Problems, new: ServiceAccount, old: ServiceAccount) -> None:
    """A changed ServiceAccount."""
    metadata.metadata_update(found, new.metadata, old.metadata)
