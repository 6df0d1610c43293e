"""Rules for CertificateSigningRequests."""

from typing import Any

from api import choices, kinds, names
from api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from api.kinds import Kind
from api.validation.problems import Problems
from api.validation.rules import Rules
from api.validation.signers import signer_name

_USAGES = choices.KEY_USAGES
_DECISIONS = ("Approved", "Denied")
_BEGIN, _END = b"-----BEGIN CERTIFICATE REQUEST-----", b"-----END CERTIFICATE REQUEST-----"


def request(found: Problems, obj: CertificateSigningRequest) -> None:
    """A CertificateSigningRequest."""
    spec = obj.spec
    if _BEGIN not in spec.request or _END not in spec.request:
        found.invalid("spec.request", spec.request, "PEM block type must be CERTIFICATE REQUEST")
    if not spec.usages:
        found.required("spec.usages")
    for index, usage in enumerate(spec.usages):
        found.optional_one_of(f"spec.usages[{index}]", usage, _USAGES)
        if usage in spec.usages[:index]:
            found.duplicate(f"spec.usages[{index}]", usage)
    _signer(found, "spec.signerName", spec.signer_name)
    if spec.expiration_seconds is not None and spec.expiration_seconds < 600:
        detail = "may not specify a duration less than 600 seconds (10 minutes)"
        found.invalid("spec.expirationSeconds", spec.expiration_seconds, detail)
    _conditions(found, "status.conditions", obj.status.conditions)


def _signer(found: Problems, path: str, name: str) -> None:
    if name == "kubernetes.io/legacy-unknown":
        found.invalid(path, name, "the legacy signerName is not allowed via this API version")
    else:
        signer_name(found, path, name)


def _conditions(found: Problems, path: str, conditions: list[CertificateSigningRequestCondition]) -> None:
    types = [condition.type for condition in conditions]
    for index, condition in enumerate(conditions):
        where = f"{path}[{index}]"
        if not condition.type:
            found.required(f"{where}.type")
        if not condition.status:
            found.required(f"{where}.status")
        elif condition.type in (*_DECISIONS, "Failed"):
            found.optional_one_of(f"{where}.status", condition.status, ("True",))
        else:
            found.optional_one_of(f"{where}.status", condition.status, ("False", "True", "Unknown"))
        if condition.type in types[:index]:
            found.duplicate(f"{where}.type", condition.type)
    if set(_DECISIONS) <= set(types):
        last = next(type_ for type_ in reversed(types) if type_ in _DECISIONS)
        found.invalid(path, last, "Approved and Denied conditions are mutually exclusive")


def _kept(
    found: Problems, new: CertificateSigningRequest, old: CertificateSigningRequest, types: tuple[str, ...]
) -> None:
    """Conditions of these types do not come, change or go."""
    for type_ in types:
        after = [condition for condition in new.status.conditions if condition.type == type_]
        before = [condition for condition in old.status.conditions if condition.type == type_]
        if after != before:
            verb = "remove" if not after else "modify" if before else "add"
            found.forbidden("status.conditions", f'updates may not {verb} a condition of type "{type_}"')


def _never_removed(found: Problems, new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
    there = {condition.type for condition in new.status.conditions}
    for type_ in (*_DECISIONS, "Failed"):
        if type_ in {condition.type for condition in old.status.conditions} - there:
            found.forbidden("status.conditions", f'updates may not remove a condition of type "{type_}"')


def _status(found: Problems, new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
    request(found, new)
    _kept(found, new, old, _DECISIONS)
    _never_removed(found, new, old)
    if old.status.certificate and new.status.certificate != old.status.certificate:
        found.forbidden("status.certificate", "updates may not modify existing certificate content")


def _approval(found: Problems, new: CertificateSigningRequest, old: CertificateSigningRequest) -> None:
    request(found, new)
    _never_removed(found, new, old)


RULES: dict[Kind[Any], Rules] = {
    kinds.CERTIFICATE_SIGNING_REQUEST: Rules(
        request, parts={"status": _status, "approval": _approval}, name=names.path_segment
    ),
}
