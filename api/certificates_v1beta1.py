"""certificates.k8s.io/v1beta1: ClusterTrustBundles."""

from typing import Annotated

from api.fields import F, Type, constant, required
from api.meta_v1 import ObjectMeta


class ClusterTrustBundleSpec(Type):
    """The certificates of authorities, and for which signer they stand."""

    signer_name: Annotated[str | None, F(1)] = None
    trust_bundle: Annotated[str, F(2)] = required(str)


class ClusterTrustBundle(Type):
    """Certificates of authorities that pods may have as a file."""

    kind: str = constant("ClusterTrustBundle")
    api_version: str = constant("certificates.k8s.io/v1beta1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ClusterTrustBundleSpec, F(2)] = required(ClusterTrustBundleSpec)
