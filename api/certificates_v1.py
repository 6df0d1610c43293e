"""certificates.k8s.io/v1: CertificateSigningRequests."""

from typing import Annotated

from api import choices
from api.fields import F, Int32, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class CertificateSigningRequestSpec(Type):
    """What is asked of which signer, for how long and by whom."""

    request: Annotated[bytes, F(1)] = required(bytes)
    signer_name: Annotated[str, F(7)] = required(str)
    expiration_seconds: Annotated[Int32 | None, F(8, explicit=True)] = None
    usages: Annotated[list[str], F(5, atomic=True, among=choices.KEY_USAGES)] = []
    username: Annotated[str | None, F(2)] = None
    uid: Annotated[str | None, F(3)] = None
    groups: Annotated[list[str], F(4, atomic=True)] = []
    extra: Annotated[dict[str, list[str]], F(6)] = {}


class CertificateSigningRequestCondition(Type):
    """That a request was approved, denied, or has failed."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(6)] = required(str)
    reason: Annotated[str | None, F(2)] = None
    message: Annotated[str | None, F(3)] = None
    last_update_time: Annotated[Time | None, F(4)] = None
    last_transition_time: Annotated[Time | None, F(5)] = None


class CertificateSigningRequestStatus(Type):
    """Whether it was approved, and the certificate."""

    conditions: Annotated[list[CertificateSigningRequestCondition], F(1, keys=("type",))] = []
    certificate: Annotated[bytes | None, F(2)] = None


class CertificateSigningRequest(Type):
    """Asks a signer for a certificate."""

    kind: str = constant("CertificateSigningRequest")
    api_version: str = constant("certificates.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CertificateSigningRequestSpec, F(2)] = required(CertificateSigningRequestSpec)
    status: Annotated[CertificateSigningRequestStatus, F(3)] = required(CertificateSigningRequestStatus)
