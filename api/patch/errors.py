"""Why a patch was refused."""


class PatchError(ValueError):
    """A patch that could not be applied."""


class PatchMalformed(PatchError):
    """The patch itself makes no sense (400)."""


class PatchInapplicable(PatchError):
    """The patch makes sense, but not on this object (422)."""
