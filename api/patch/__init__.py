"""The three kinds of patches, on plain JSON-able data. All return a new document and leave their arguments alone."""

from api.patch.errors import PatchError, PatchInapplicable, PatchMalformed
from api.patch.rfc6902 import json_patch
from api.patch.rfc7386 import merge_patch
from api.patch.strategic import strategic_merge

__all__ = ["PatchError", "PatchInapplicable", "PatchMalformed", "json_patch", "merge_patch", "strategic_merge"]
