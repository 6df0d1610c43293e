"""What can go wrong, in the form of the CNI specification: a code, one line, details."""

VERSION, FIELD, CONTAINER, ENVIRONMENT, IO, DECODE, CONFIG = 1, 2, 3, 4, 5, 6, 7
TRY_AGAIN = 11
UNAVAILABLE = 50
# Ours; the specification leaves 100 and above to plugins.
NO_ADDRESS, ADDRESS_TAKEN, PORT_TAKEN, INTERFACE_TAKEN, CHECK_FAILED, KERNEL, INTERNAL = range(101, 108)


class CniError(Exception):
    """A request that cannot be done; this is what the runtime reads."""

    def __init__(self, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def to_json(self, version: str) -> dict[str, object]:
        """The specification's error object."""
        body: dict[str, object] = {"cniVersion": version, "code": self.code, "msg": self.message}
        return body | ({"details": self.details} if self.details else {})
