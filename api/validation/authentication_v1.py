"""Rules for requests of tokens."""

from api.authentication_v1 import TokenRequest
from api.validation.problems import Problems

SHORTEST, LONGEST = 600, 1 << 32  # seconds


def token_request(found: Problems, obj: TokenRequest) -> None:
    """A TokenRequest, with its defaults."""
    seconds = obj.spec.expiration_seconds or 0
    if seconds < SHORTEST:
        found.invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > LONGEST:
        found.invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
