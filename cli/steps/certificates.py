"""Keys and certificates."""

from cli import certificates
from cli.errors import CliError
from cli.machine import Machine, Step
from kit.pki import PkiError


def do(machine: Machine) -> str:
    """Make what is missing or ends soon."""
    wanted = [want.name for want in certificates.missing(machine.settings, machine.layout)]
    try:
        certificates.make(machine.settings, machine.layout)
    except PkiError as error:
        remedy = f"Put the right files back into {machine.layout.pki}, or run 'wherry reset'"
        raise CliError("make certificates", error, remedy) from error
    return f"made {', '.join(wanted) or 'the authority'}"


STEP = Step("certificates", do, done=lambda machine: certificates.complete(machine.settings, machine.layout))
