"""The tables of ConfigMaps, Secrets and ServiceAccounts."""

from typing import Any

from api import kinds
from api.core_v1 import ConfigMap, Secret
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import BY_NAME_AND_AGE, Cell, Layout, columns


def _config_map(obj: ConfigMap, now: float) -> list[Cell]:
    return [obj.metadata.name, len(obj.data) + len(obj.binary_data), age(obj.metadata.creation_timestamp, now)]


def _secret(obj: Secret, now: float) -> list[Cell]:
    return [obj.metadata.name, obj.type or "", len(obj.data), age(obj.metadata.creation_timestamp, now)]


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.CONFIG_MAP: Layout(columns("Name", "Data", "Age"), _config_map),
    kinds.SECRET: Layout(columns("Name", "Type", "Data", "Age"), _secret),
    kinds.SERVICE_ACCOUNT: BY_NAME_AND_AGE,
}
