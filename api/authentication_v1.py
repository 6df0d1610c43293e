"""authentication.k8s.io/v1: tokens and who one is."""

from typing import Annotated

from api.fields import F, Int64, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


def _nothing() -> None:
    return None


class TokenReviewSpec(Type):
    """The token, and for whom it should be meant."""

    token: Annotated[str | None, F(1)] = None
    audiences: Annotated[list[str], F(2, atomic=True)] = []


class UserInfo(Type):
    """A user: name, groups, and what else is known of him."""

    username: Annotated[str | None, F(1)] = None
    uid: Annotated[str | None, F(2)] = None
    groups: Annotated[list[str], F(3, atomic=True)] = []
    extra: Annotated[dict[str, list[str]], F(4)] = {}


class TokenReviewStatus(Type):
    """Whose the token is, or why it is no good."""

    authenticated: Annotated[bool | None, F(1)] = None
    user: Annotated[UserInfo, F(2)] = required(UserInfo)
    audiences: Annotated[list[str], F(4, atomic=True)] = []
    error: Annotated[str | None, F(3)] = None


class TokenReview(Type):
    """Asks the API server whose a token is."""

    kind: str = constant("TokenReview")
    api_version: str = constant("authentication.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[TokenReviewSpec, F(2)] = required(TokenReviewSpec)
    status: Annotated[TokenReviewStatus, F(3)] = required(TokenReviewStatus)


class BoundObjectReference(Type):
    """The object with which a token ends."""

    kind: Annotated[str | None, F(1)] = None
    api_version: Annotated[str | None, F(2)] = None
    name: Annotated[str | None, F(3)] = None
    uid: Annotated[str | None, F(4)] = None


class TokenRequestSpec(Type):
    """For whom a token is meant, and for how long."""

    audiences: Annotated[list[str], F(1, atomic=True)] = required(list)
    expiration_seconds: Annotated[Int64 | None, F(4, explicit=True)] = None
    bound_object_ref: Annotated[BoundObjectReference | None, F(3)] = required(_nothing)


class TokenRequestStatus(Type):
    """The token, and when it ends."""

    token: Annotated[str, F(1)] = required(str)
    expiration_timestamp: Annotated[Time | None, F(2)] = None


class TokenRequest(Type):
    """Asks for a token of a service account."""

    kind: str = constant("TokenRequest")
    api_version: str = constant("authentication.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[TokenRequestSpec, F(2)] = required(TokenRequestSpec)
    status: Annotated[TokenRequestStatus, F(3)] = required(TokenRequestStatus)


class SelfSubjectReviewStatus(Type):
    """Who is asking."""

    user_info: Annotated[UserInfo, F(1)] = required(UserInfo)


class SelfSubjectReview(Type):
    """Asks the API server who it takes the asking user for."""

    kind: str = constant("SelfSubjectReview")
    api_version: str = constant("authentication.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    status: Annotated[SelfSubjectReviewStatus, F(2)] = required(SelfSubjectReviewStatus)
