"""Rules for APIServices."""

from typing import Any

from api import kinds, names
from api.apiregistration_v1 import APIService
from api.kinds import Kind
from api.validation.problems import Problems
from api.validation.rules import Rules


def api_service(found: Problems, obj: APIService) -> None:
    """An APIService."""
    spec = obj.spec
    wanted = f"{spec.version or ''}.{spec.group or ''}"
    if obj.metadata.name != wanted:
        found.invalid("metadata.name", obj.metadata.name, f'must be `spec.version+"."+spec.group`: "{wanted}"')
    if spec.group:
        found.invalid_all("spec.group", spec.group, names.dns_subdomain(spec.group))
    version = spec.version or ""
    if not spec.group and version != "v1":
        found.required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    found.invalid_all("spec.version", version, names.dns_1035_label(version))
    for field, value, most in (
        ("groupPriorityMinimum", spec.group_priority_minimum, 20_000),
        ("versionPriority", spec.version_priority, 1_000),
    ):
        if not 0 < value <= most:
            found.invalid(f"spec.{field}", value, f"must be positive and less than {most}")
    if spec.service is None:
        if spec.ca_bundle:
            found.invalid("spec.caBundle", f"{len(spec.ca_bundle)} bytes", "local APIServices may not have a caBundle")
        if spec.insecure_skip_tls_verify:
            detail = "local APIServices may not have insecureSkipTLSVerify"
            found.invalid("spec.insecureSkipTLSVerify", True, detail)
        return
    for field, name in (("namespace", spec.service.namespace), ("name", spec.service.name)):
        if not name:
            found.required(f"spec.service.{field}")
    if spec.service.port is not None:
        for text in names.port_number(spec.service.port):
            found.invalid("spec.service.port", spec.service.port, f"port is not valid: {text}")
    if spec.insecure_skip_tls_verify and spec.ca_bundle:
        found.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")


def _status(found: Problems, new: APIService, old: APIService) -> None:
    for index, condition in enumerate(new.status.conditions):
        found.optional_one_of(f"status.conditions[{index}].status", condition.status, ("True", "False", "Unknown"))


RULES: dict[Kind[Any], Rules] = {
    kinds.API_SERVICE: Rules(api_service, parts={"status": _status}, name=names.path_segment),
}
