"""The environment of a container, and the expansion of $(VARIABLES) in it."""

import re
from collections.abc import Iterable, Mapping

from api.core_v1 import EnvVar, EnvVarSource, FileKeySelector, Pod
from nodeagent.model.spec import AnyContainer
from nodeagent.render.env_file import EnvFileProblem, read_variable
from nodeagent.render.fields import field_value, resource_value
from nodeagent.render.settings import ConfigProblem, NodeSettings, ServiceLink, Sources

REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace $(NAME) by its value; unknown names stay, and $$ is a plain $."""
    return REFERENCE.sub(lambda m: "$" if m[1] is None else values.get(m[1], m[0]), text)


def build_environment(
    pod: Pod, container: AnyContainer, sources: Sources, ips: tuple[str, ...], node: NodeSettings
) -> dict[str, str]:
    """All variables of a container: declared ones over envFrom over those of Services."""
    namespace = pod.metadata.namespace or ""
    links = service_variables(namespace, pod.spec.enable_service_links is not False, sources.services)
    values = _from_objects(container, namespace, sources)
    for variable in container.env:
        value = _value(variable, {**links, **values}, pod, container, sources, ips, node)
        if value is not None:
            values.pop(variable.name, None)
            values[variable.name] = value
    return {**values, **{name: value for name, value in links.items() if name not in values}}


def _from_objects(container: AnyContainer, namespace: str, sources: Sources) -> dict[str, str]:
    values: dict[str, str] = {}
    for origin in container.env_from:
        ref = origin.config_map_ref or origin.secret_ref
        if ref is None:
            continue
        name, data = ref.name or "", None
        if origin.config_map_ref is not None:
            found = sources.config_maps.get(name)
            data = found.data if found else None
        elif (secret := sources.secrets.get(name)) is not None:
            data = {key: value.decode(errors="replace") for key, value in secret.data.items()}
        if data is None:
            if not ref.optional:
                kind = "configmap" if origin.config_map_ref is not None else "secret"
                raise ConfigProblem(f'{kind} "{name}" not found')
            continue
        values.update({(origin.prefix or "") + key: value for key, value in data.items()})
    return values


def _value(
    variable: EnvVar,
    known: Mapping[str, str],
    pod: Pod,
    container: AnyContainer,
    sources: Sources,
    ips: tuple[str, ...],
    node: NodeSettings,
) -> str | None:
    """The value of one declared variable; None leaves it out."""
    if variable.value:
        return expand(variable.value, known)
    origin = variable.value_from
    if origin is None:
        return ""
    if origin.field_ref is not None:
        return field_value(pod, origin.field_ref, ips, node)
    if origin.resource_field_ref is not None:
        return resource_value(pod, container, origin.resource_field_ref, node)
    return _from_key(origin, pod.metadata.namespace or "", sources)


def _from_key(origin: EnvVarSource, namespace: str, sources: Sources) -> str | None:
    data: Mapping[str, str] | None = None
    if (ref := origin.config_map_key_ref) is not None:
        kind, found = "ConfigMap", sources.config_maps.get(ref.name or "")
        data = found.data if found else None
    elif (key_ref := origin.secret_key_ref) is not None:
        kind, secret = "Secret", sources.secrets.get(key_ref.name or "")
        data = {k: v.decode(errors="replace") for k, v in secret.data.items()} if secret else None
    elif (file_ref := origin.file_key_ref) is not None:
        return _from_file(file_ref, sources)
    else:
        return ""
    chosen = origin.config_map_key_ref or origin.secret_key_ref
    assert chosen is not None
    if data is not None and chosen.key in data:
        return data[chosen.key]
    if chosen.optional:
        return None
    if data is None:
        raise ConfigProblem(f'{kind.lower()} "{chosen.name}" not found')
    raise ConfigProblem(f"couldn't find key {chosen.key} in {kind} {namespace}/{chosen.name}")


def _from_file(ref: FileKeySelector, sources: Sources) -> str | None:
    text = sources.files.get((ref.volume_name, ref.path))
    if text is None:
        raise ConfigProblem("couldn't parse env file")
    try:
        value = read_variable(text, ref.key)
    except EnvFileProblem as error:
        raise ConfigProblem(f"couldn't parse env file: {error}") from error
    if value or ref.optional:
        return value or None
    raise ConfigProblem(f'environment variable key "{ref.key}" not found in file "{ref.path}"')


def service_variables(namespace: str, links: bool, services: Iterable[ServiceLink]) -> dict[str, str]:
    """What containers learn about Services: the API's own always, those of the namespace unless switched off."""
    values: dict[str, str] = {}
    for service in sorted(services, key=lambda s: (s.namespace != "default" or s.name != "kubernetes", s.name)):
        master = (service.namespace, service.name) == ("default", "kubernetes")
        if service.ports and (master or (links and service.namespace == namespace)):
            for name, value in _variables_of(service).items():
                values.setdefault(name, value)
    return values


def _variables_of(service: ServiceLink) -> dict[str, str]:
    prefix = _upper(service.name)
    host = f"[{service.address}]" if ":" in service.address else service.address
    first = service.ports[0]
    values = {
        f"{prefix}_SERVICE_HOST": service.address,
        f"{prefix}_SERVICE_PORT": str(first[1]),
        f"{prefix}_PORT": f"{first[2].lower()}://{host}:{first[1]}",
    }
    for name, number, protocol in service.ports:
        if name:
            values[f"{prefix}_SERVICE_PORT_{_upper(name)}"] = str(number)
        port = f"{prefix}_PORT_{number}_{protocol.upper()}"
        values[port] = f"{protocol.lower()}://{host}:{number}"
        values[f"{port}_PROTO"] = protocol.lower()
        values[f"{port}_PORT"] = str(number)
        values[f"{port}_ADDR"] = service.address
    return values


def _upper(name: str) -> str:
    return name.replace("-", "_").upper()
