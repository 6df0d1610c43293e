"""Rules for the environment of containers and for references to fields."""

import re

from api import names, quantity
from api.core_v1 import (
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    ObjectFieldSelector,
    PodSpec,
    ResourceFieldSelector,
)
from api.fields import fields_of
from api.validation.every_container import every_container
from api.validation.problems import Problems

_ENVIRONMENT_FIELDS = frozenset(
    (
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    )
)
_FIELDS = _ENVIRONMENT_FIELDS | {
    "metadata.labels",
    "metadata.annotations",
    "spec.host",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
}
_RESOURCES = ("cpu", "ephemeral-storage", "memory")
_RESOURCE_FIELDS = tuple(f"{list_}.{name}" for list_ in ("limits", "requests") for name in _RESOURCES)
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]")
_DIVISORS = {
    "cpu": ("1m", "1"),
    "memory": ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"),
}


def environment(found: Problems, path: str, variables: list[EnvVar]) -> None:
    """The variables of a container."""
    for index, variable in enumerate(variables):
        where = f"{path}[{index}]"
        if not variable.name:
            found.required(f"{where}.name")
        else:
            found.invalid_all(f"{where}.name", variable.name, names.environment_name(variable.name))
        if variable.value_from is not None:
            _value_from(found, f"{where}.valueFrom", variable, variable.value_from)


def environment_from(found: Problems, path: str, sources: list[EnvFromSource]) -> None:
    """The objects whose keys become variables of a container."""
    for index, source in enumerate(sources):
        where = f"{path}[{index}]"
        if source.prefix:
            found.invalid_all(f"{where}.prefix", source.prefix, names.environment_name(source.prefix))
        refs = (("configMapRef", source.config_map_ref), ("secretRef", source.secret_ref))
        given = [(name, ref) for name, ref in refs if ref is not None]
        for name, ref in given:
            if not ref.name:
                found.required(f"{where}.{name}.name")
            else:
                found.invalid_all(f"{where}.{name}.name", ref.name, names.dns_subdomain(ref.name))
        if not given:
            found.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            found.invalid(path, "", "may not have more than one field specified at a time")


def _value_from(found: Problems, path: str, variable: EnvVar, source: EnvVarSource) -> None:
    given = [field for field in fields_of(EnvVarSource).values() if getattr(source, field.name) is not None]
    if source.field_ref is not None:
        field_ref(found, f"{path}.fieldRef", source.field_ref, _ENVIRONMENT_FIELDS)
    if source.resource_field_ref is not None:
        resource_field_ref(found, f"{path}.resourceFieldRef", source.resource_field_ref, in_volume=False)
    for name, ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if ref is not None:
            found.invalid_all(f"{path}.{name}.name", ref.name or "", names.dns_subdomain(ref.name or ""))
            if not ref.key:
                found.required(f"{path}.{name}.key")
            else:
                found.invalid_all(f"{path}.{name}.key", ref.key, names.config_key(ref.key))
    if source.file_key_ref is not None:
        _file_key_ref(found, f"{path}.fileKeyRef", source.file_key_ref)
    if not given:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        )
        found.invalid(path, "", detail)
    elif variable.value:
        found.invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        found.invalid(path, "", "may not have more than one field specified at a time")


def _file_key_ref(found: Problems, path: str, selector: FileKeySelector) -> None:
    if not selector.key:
        found.required(f"{path}.key")
    else:
        found.invalid_all(f"{path}.key", selector.key, names.environment_name(selector.key))
    if not selector.volume_name:
        found.required(f"{path}.volumeName")
    else:
        found.invalid_all(f"{path}.volumeName", selector.volume_name, names.dns_label(selector.volume_name))
    if not selector.path:
        found.required(f"{path}.path")
    elif ".." in selector.path.split("/"):
        found.invalid(f"{path}.path", selector.path, "must not contain '..'")


def file_key_volumes(found: Problems, path: str, spec: PodSpec) -> None:
    """Files that hold variables are in empty directories of the pod."""
    volumes = {volume.name: volume for volume in spec.volumes}
    for path_, container in every_container(path, spec):
        for index, variable in enumerate(container.env):
            if variable.value_from is None or variable.value_from.file_key_ref is None:
                continue
            name = variable.value_from.file_key_ref.volume_name
            where = f"{path_}.env[{index}].valueFrom.fileKeyRef.volumeName"
            if name not in volumes:
                found.not_found(where, name)
            elif volumes[name].empty_dir is None:
                found.invalid(where, name, "referenced volume must be of type emptyDir")


def field_ref(found: Problems, path: str, selector: ObjectFieldSelector, allowed: frozenset[str]) -> None:
    """A reference to a field of the pod."""
    if not selector.api_version:
        found.required(f"{path}.apiVersion")
        return
    if not selector.field_path:
        found.required(f"{path}.fieldPath")
        return
    subscript = _SUBSCRIPT.fullmatch(selector.field_path)
    if selector.api_version != "v1":
        detail = f"error converting fieldPath: unsupported pod version: {selector.api_version}"
        found.invalid(f"{path}.fieldPath", selector.field_path, detail)
    elif subscript is None and selector.field_path not in _FIELDS:
        detail = f"error converting fieldPath: field label not supported: {selector.field_path}"
        found.invalid(f"{path}.fieldPath", selector.field_path, detail)
    elif subscript is not None:
        problems = names.label_key(subscript[2].lower() if "annotations" in subscript[1] else subscript[2])
        found.invalid_all(path, subscript[2], problems)
    elif selector.field_path not in allowed:
        found.not_supported(f"{path}.fieldPath", selector.field_path, sorted(allowed))


def resource_field_ref(found: Problems, path: str, selector: ResourceFieldSelector, *, in_volume: bool) -> None:
    """A reference to a request or limit of a container."""
    if in_volume and not selector.container_name:
        found.required(f"{path}.containerName")
        return
    if not selector.resource:
        found.required(f"{path}.resource")
        return
    name = selector.resource.partition(".")[2]
    if selector.resource not in _RESOURCE_FIELDS and not name.startswith("hugepages-"):
        found.not_supported(f"{path}.resource", selector.resource, _RESOURCE_FIELDS)
        return
    if selector.divisor in (None, "", "0"):
        return
    allowed = _DIVISORS.get(name, _DIVISORS["memory"])
    try:
        divisor = quantity.parse(selector.divisor or "0")
    except quantity.QuantityError as error:
        found.invalid(f"{path}.divisor", selector.divisor, str(error))
        return
    if all(divisor != quantity.parse(item) for item in allowed):
        shown = " and ".join(allowed) if name == "cpu" else ", ".join(allowed)
        kind = {"ephemeral-storage": "local ephemeral storage"}.get(name, name.partition("-")[0])
        detail = f"only divisor's values {shown} are supported with the {kind} resource"
        found.invalid(f"{path}.divisor", selector.resource, detail)
