"""Requests for certificates: who asks is written into them, and who may decide on them and sign them depends on the signer.

A request for a client certificate may not ask to be one of the masters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from controlplane.apiserver import status
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.decisions import may
from controlplane.apiserver.admission.roles import only_garbage
from controlplane.apiserver.identity.users import MASTERS, info
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def set_requester(write: Write, core: Core) -> None:
    """The request says who asks, whatever its sender wrote there."""
    if write.kind is not kinds.CERTIFICATE_SIGNING_REQUEST or write.operation != CREATE:
        return
    assert write.call.user is not None
    known: Any = info(write.call.user)
    spec = write.new.spec
    spec.username, spec.uid = known["username"], known["uid"] or None
    spec.groups, spec.extra = known["groups"], known["extra"]


def restrict_signers(write: Write, core: Core) -> None:
    """Refuse decisions and signatures of who may not make them for the request's signer."""
    if write.kind is not kinds.CERTIFICATE_SIGNING_REQUEST or write.operation == CREATE:
        return
    signer, old, new = write.old.spec.signer_name, write.old.status, write.new.status
    if write.subresource == "approval" and not _may_as(write, "approve", signer, core):
        raise status.forbidden(write.subject, f'user not permitted to approve requests with signerName "{signer}"')
    signed = (new.certificate, new.conditions) != (old.certificate, old.conditions)
    if write.subresource == "status" and signed and not _may_as(write, "sign", signer, core):
        raise status.forbidden(write.subject, f'user not permitted to sign requests with signerName "{signer}"')


def restrict_trust(write: Write, core: Core) -> None:
    """Refuse bundles for a signer from who may not say whom the signer's certificates are trusted by."""
    if write.kind is not kinds.CLUSTER_TRUST_BUNDLE or not (signer := write.new.spec.signer_name):
        return
    if not only_garbage(write) and not _may_as(write, "attest", signer, core):
        raise status.forbidden(write.subject, f'user not permitted to attest for signerName "{signer}"')


def _may_as(write: Write, verb: str, signer: str, core: Core) -> bool:
    """Whether the user may do this for the signer, or for all signers of its domain."""
    user = write.call.user
    assert user is not None
    signers = (signer, f"{signer.partition('/')[0]}/*")
    return any(
        may(user, Attributes(verb, kinds.CERTIFICATE_SIGNING_REQUEST.group, "signers", name=one), core)
        for one in signers
    )


def restrict_subject(write: Write, core: Core) -> None:
    """Refuse a request to the API server's own signer for the group that may do everything."""
    if write.kind is not kinds.CERTIFICATE_SIGNING_REQUEST or write.operation != CREATE or write.subresource:
        return
    spec = write.new.spec
    if spec.signer_name != CLIENT_SIGNER:
        return
    from cryptography import x509  # heavy, and seldom needed
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_pem_x509_csr(bytes(spec.request or b"")).subject
    except ValueError as error:
        raise status.forbidden(write.subject, f"failed to parse CSR: {error}") from None
    if any(name.value == MASTERS for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
        why = f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
        raise status.forbidden(write.subject, why)
