"""Defaults of CustomResourceDefinitions."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.apiextensions_v1 import CustomResourceConversion, CustomResourceDefinition
from api.kinds import Kind

_HTTPS = 443


def definition(obj: CustomResourceDefinition) -> None:
    """Defaults of a CustomResourceDefinition."""
    spec, names = obj.spec, obj.spec.names
    names.singular = names.singular or names.kind.lower()
    if not names.list_kind and names.kind:
        names.list_kind = f"{names.kind}List"
    if spec.conversion is None:
        spec.conversion = CustomResourceConversion(strategy="None")
    webhook = spec.conversion.webhook
    service = webhook.client_config.service if webhook is not None and webhook.client_config is not None else None
    if service is not None and service.port is None:
        service.port = _HTTPS
    if not obj.status.stored_versions:
        obj.status.stored_versions = [version.name for version in spec.versions if version.storage][:1]


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.CUSTOM_RESOURCE_DEFINITION: definition}
