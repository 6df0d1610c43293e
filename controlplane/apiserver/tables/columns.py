"""What a table is made of: its columns, and a function from an object to its cells."""

from collections.abc import Callable
from typing import Any, NamedTuple

from api.meta_v1 import TableColumnDefinition, TableRowCondition
from controlplane.apiserver.tables.ages import age

Cell = str | int | bool | None


class Layout(NamedTuple):
    """How the objects of one kind are shown."""

    columns: list[TableColumnDefinition]
    cells: Callable[[Any, float], list[Cell]]
    conditions: Callable[[Any], list[TableRowCondition]] | None = None
    order: tuple[int, ...] = ()  # the cells by which rows are sorted; without, they stay in order of their names


def columns(*always: str, wide: tuple[str, ...] = ()) -> list[TableColumnDefinition]:
    """Columns from `Name`, or `Name:type:format` where they are not usual; `wide` ones show with -o wide only."""
    shown = [_column(text, 0) for text in always]
    return shown + [_column(text, 1) for text in wide]


def _column(text: str, priority: int) -> TableColumnDefinition:
    name, type_, format_ = (text + "::").split(":")[:3]
    return TableColumnDefinition(
        name=name,
        type=type_ or "string",
        format=format_ or ("name" if name == "Name" else ""),
        description=_DESCRIPTIONS.get(name, ""),
        priority=priority,
    )


_DESCRIPTIONS = {
    "Name": "The name of the object, unique in its namespace.",
    "Age": "The time since the object was created.",
    "Status": "The state of the object in one word.",
    "Ready": "How much of what is wanted is ready.",
    "Restarts": "How often containers were restarted, and when the last one was.",
    "Containers": "The names of the containers.",
    "Images": "The images of the containers.",
    "Selector": "The labels of the pods that belong to the object.",
}

BY_NAME_AND_AGE = Layout(
    columns("Name", "Age"), lambda obj, now: [obj.metadata.name, age(obj.metadata.creation_timestamp, now)]
)
BY_NAME_AND_CREATION = Layout(
    columns("Name", "Created At:date"), lambda obj, now: [obj.metadata.name, obj.metadata.creation_timestamp]
)
