"""Rules for the metadata of objects that are made from a template: labels and annotations, nothing else."""

import msgspec

from api.meta_v1 import ObjectMeta
from api.validation.metadata import annotations, labels
from api.validation.problems import Problems

_ALLOWED = ("annotations", "labels")


def template_metadata(found: Problems, path: str, meta: ObjectMeta) -> None:
    """The metadata in a template."""
    annotations(found, f"{path}.annotations", meta.annotations)
    labels(found, f"{path}.labels", meta.labels)
    blank = ObjectMeta()
    for field in msgspec.structs.fields(meta):
        if field.name not in _ALLOWED and getattr(meta, field.name) != getattr(blank, field.name):
            found.forbidden(f"{path}.{_shown(field.encode_name)}", "cannot be set")


def _shown(name: str) -> str:
    return "uID" if name == "uid" else name  # so upstream spells it
