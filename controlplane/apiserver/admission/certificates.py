"""What a request for a client certificate may not ask for: to be one of the masters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from api import kinds
from controlplane.apiserver import status
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
MASTERS = "system:masters"


def restrict_subject(write: Write, core: Core) -> None:
    """Refuse a request to the API server's own signer for the group that may do everything."""
    if write.kind is not kinds.CERTIFICATE_SIGNING_REQUEST or write.operation != CREATE or write.subresource:
        return
    spec = write.new.spec
    if spec.signer_name != CLIENT_SIGNER:
        return
    try:
        subject = x509.load_pem_x509_csr(bytes(spec.request or b"")).subject
    except ValueError as error:
        raise status.forbidden(write.subject, f"failed to parse CSR: {error}") from None
    if any(name.value == MASTERS for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
        why = f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed"
        raise status.forbidden(write.subject, why)
