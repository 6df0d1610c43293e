"""What can go wrong at the runtime's door. Messages read "cannot X: reason"."""


class RuntimeFault(Exception):
    """A call to the container runtime failed."""

    def __init__(self, call: str, subject: str, reason: str, code: str = "") -> None:
        super().__init__(f"cannot {call}{' ' + subject if subject else ''}: {reason}")
        self.call = call
        self.subject = subject
        self.reason = reason
        self.code = code

    @property
    def spoken(self) -> str:
        """In the words in which upstream passes on what a runtime says."""
        return f"rpc error: code = {self.code} desc = {self.reason}" if self.code else self.reason


class RuntimeAway(RuntimeFault):
    """Nobody listens at the endpoint, or the connection broke: wait and try again."""


class RuntimeTimeout(RuntimeFault):
    """No answer in time; what was asked may have happened or not."""


class NotFound(RuntimeFault):
    """The runtime does not know that sandbox, container or image."""


class AlreadyExists(RuntimeFault):
    """The name is taken, most likely by a call whose answer we never saw."""


class Unsupported(RuntimeFault):
    """This runtime does not offer the call."""


class Refused(RuntimeFault):
    """The runtime tried and failed, or would not."""
