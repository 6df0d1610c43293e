"""Tokens as anybody's JWT library reads them, and what is refused."""

import base64
import hashlib
import json

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from controlplane.apiserver.identity import claims, signing
from controlplane.apiserver.identity.claims import Asked, Bound, Ref
from controlplane.apiserver.identity.issuer import Issuer
from controlplane.apiserver.identity.signing import SigningKey, TokenError, verify_keys
from kit import pki
from kit.pki import PkiError

HASHES = {"ES256": hashes.SHA256(), "ES384": hashes.SHA384(), "ES512": hashes.SHA512(), "RS256": hashes.SHA256()}
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


RSA_KEY = rsa.generate_private_key(65537, 2048)
KEYS = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "RS256": RSA_KEY,
}


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    return int.from_bytes(raw(text), "big")


def check_as_others_do(token: str, jwks: bytes) -> dict:
    """Verify with the published keys alone, by the RFCs; the claims."""
    head, body, signature = token.split(".")
    header = json.loads(raw(head))
    (jwk,) = [key for key in json.loads(jwks)["keys"] if key["kid"] == header["kid"]]
    assert (jwk["use"], jwk["alg"]) == ("sig", header["alg"])
    digest, content, sealed = HASHES[header["alg"]], f"{head}.{body}".encode(), raw(signature)
    if jwk["kty"] == "RSA":
        public = rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key()
        public.verify(sealed, content, padding.PKCS1v15(), digest)
    else:
        point = ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), CURVES[jwk["crv"]]).public_key()
        half = len(sealed) // 2
        der = encode_dss_signature(int.from_bytes(sealed[:half], "big"), int.from_bytes(sealed[half:], "big"))
        point.verify(der, content, ec.ECDSA(digest))
    return json.loads(raw(body))


@pytest.mark.parametrize("algorithm", KEYS)
def test_others_verify_our_tokens_with_the_published_keys(algorithm):
    issuer = Issuer("https://issuer", ("api",), SigningKey(pem(KEYS[algorithm])))
    for _ in range(20):  # halves of a signature may begin with zeros
        token = issuer.issue(Asked("ns", Ref("robot", "u1"), Bound(), ("a", "b"), 600), "id", 1000.7)
        said = check_as_others_do(token, issuer.keys())
    assert said == {
        "aud": ["a", "b"],
        "exp": 1600,
        "iat": 1000,
        "iss": "https://issuer",
        "jti": "id",
        "kubernetes.io": {"namespace": "ns", "serviceaccount": {"name": "robot", "uid": "u1"}},
        "nbf": 1000,
        "sub": "system:serviceaccount:ns:robot",
    }
    with pytest.raises(InvalidSignature):
        check_as_others_do(token[:-8] + "AAAAAAAA", issuer.keys())
    document = json.loads(issuer.configuration("192.0.2.1:6443"))
    assert document["issuer"] == "https://issuer"
    assert document["jwks_uri"] == "https://192.0.2.1:6443/openid/v1/jwks"
    assert document["id_token_signing_alg_values_supported"] == [algorithm]


def test_the_id_of_a_key_is_the_hash_of_its_public_half():
    der = KEYS["ES256"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    wanted = base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert SigningKey(pem(KEYS["ES256"])).public.id == wanted
    assert SigningKey(pem(KEYS["ES256"], PrivateFormat.TraditionalOpenSSL)).public.id == wanted


def _signed(key: SigningKey, **header: str) -> str:
    """A token with another header than its key would write."""
    token = key.sign(b'{"iss":"x"}')
    head, body, signature = token.split(".")
    changed = json.loads(raw(head)) | header
    return f"{signing.encode64(json.dumps(changed).encode())}.{body}.{signature}"


def test_only_the_keys_own_signature_counts():
    ours, theirs = SigningKey(pem(KEYS["ES256"])), SigningKey(pem(ec.generate_private_key(ec.SECP256R1())))
    good = ours.sign(b"{}")
    assert signing.verify(signing.parse(good), [ours.public]) is None
    bad = [
        theirs.sign(b"{}"),
        _signed(ours, alg="none"),
        _signed(ours, alg="HS256"),
        _signed(ours, alg="RS256"),
        _signed(ours, kid=theirs.public.id),
        _signed(theirs, kid=ours.public.id),
        good.rsplit(".", 1)[0] + ".",
        good.rsplit(".", 1)[0] + "." + signing.encode64(bytes(64)),
        good.rsplit(".", 1)[0] + "." + signing.encode64(bytes(63)),
    ]
    for token in bad:
        parsed = signing.parse(token)
        assert parsed is not None
        with pytest.raises(TokenError):
            signing.verify(parsed, [ours.public])


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "....", "e30.e30.", "e30.e30.e30", "é.é.é", "=.=.=", "a" * 100_000 + ".b.c"]
)
def test_what_is_no_jwt_is_left_to_others(token):
    assert signing.parse(token) is None


def test_base64_has_one_form():
    assert signing.decode64(signing.encode64(b"\xff\xfe\xfd")) == b"\xff\xfe\xfd"
    for text in ("_w==", "_x", "/w", "_w\n", "_", "é"):
        with pytest.raises(ValueError, match=r"base64|ASCII"):
            signing.decode64(text)


@pytest.mark.parametrize(
    "key", [b"", b"nonsense", pem(ec.generate_private_key(ec.SECP256K1())), pem(RSA_KEY)[:200]], ids=range(4)
)
def test_keys_that_cannot_sign(key):
    with pytest.raises(PkiError):
        SigningKey(key)


BOUND = Bound(pod=Ref("p", "u2"), node=Ref("n", "u3"))


@pytest.mark.parametrize(
    ("asked", "bound", "audiences", "lifetime"),
    [
        (3607, BOUND, ("api",), (365 * 24 * 3600, 3607)),
        (3607, BOUND, ("api", "b"), (365 * 24 * 3600, 3607)),
        (3607, BOUND, ("other",), (3607, 0)),
        (3607, BOUND, ("api", "other"), (3607, 0)),
        (3600, BOUND, ("api",), (3600, 0)),
        (3607, Bound(), ("api",), (3607, 0)),
        (3607, Bound(node=Ref("n", "u3")), ("api",), (3607, 0)),
    ],
)
def test_a_pods_own_token_lives_on(asked, bound, audiences, lifetime):
    assert claims.lifetime(Asked("ns", Ref("sa", "u1"), bound, audiences, asked), ("api", "b")) == lifetime


def test_claims_of_a_bound_token():
    made = claims.make(Asked("ns", Ref("sa", "u1"), BOUND, ("api",), 3607), "https://i", ("api",), "j", 50.9)
    document = json.loads(msgspec.json.encode(made))
    assert document["kubernetes.io"] == {
        "namespace": "ns",
        "serviceaccount": {"name": "sa", "uid": "u1"},
        "pod": {"name": "p", "uid": "u2"},
        "node": {"name": "n", "uid": "u3"},
        "warnafter": 3657,
    }
    assert claims.read(json.dumps(document).encode()) == made


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        (1000, ""),
        (940, ""),
        (939, "not valid yet"),
        (1160, ""),
        (1161, "expired"),
        (5, "not valid yet"),
    ],
)
def test_the_clock_may_be_a_minute_off(now, problem):
    made = claims.Claims(nbf=1000, iat=1000, exp=1100)
    if not problem:
        claims.check_times(made, now)
        return
    with pytest.raises(TokenError, match=problem):
        claims.check_times(made, now)


def test_issued_in_the_future():
    with pytest.raises(TokenError, match="issued in the future"):
        claims.check_times(claims.Claims(iat=1000), 900)


@pytest.mark.parametrize(
    ("meant", "wanted", "both"),
    [
        (("api", "x"), ("api",), ("api",)),
        ("api", ("api",), ("api",)),
        ((), ("api",), ("api",)),
        (("x", "y"), ("y", "x"), ("x", "y")),
        (("x",), ("api",), None),
        ((), ("x",), None),
    ],
)
def test_audiences(meant, wanted, both):
    made = claims.Claims(aud=meant)
    if both is not None:
        assert claims.check_audiences(made, wanted, ("api",)) == both
        return
    with pytest.raises(TokenError, match=r"token audiences \[.*\] is invalid for the target audiences"):
        claims.check_audiences(made, wanted, ("api",))


# several keys


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


CERTIFIED = pki.make_ca("sa")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (public(KEYS["ES256"]), 1),
        (public(RSA_KEY), 1),
        (RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), 1),
        (pem(KEYS["ES384"]), 1),
        (pem(KEYS["ES256"], PrivateFormat.TraditionalOpenSSL), 1),
        (CERTIFIED.cert, 1),
        (b"# old\n" + public(KEYS["ES256"]) + b"\n# new\n" + public(RSA_KEY) + CERTIFIED.cert, 3),
    ],
)
def test_keys_that_are_accepted(text: bytes, count: int):
    assert len(verify_keys(text)) == count


def test_a_key_is_known_by_any_of_its_forms():
    key = KEYS["ES256"]
    assert {one.id for form in (pem(key), public(key)) for one in verify_keys(form)} == {SigningKey(pem(key)).public.id}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "cannot find a key"),
        (b"-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n", "cannot find a key"),
        (
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "cannot read a key that tokens are checked with",
        ),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot read a key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot read a key"),
    ],
)
def test_keys_that_are_none(text: bytes, why: str):
    with pytest.raises(PkiError, match=why):
        verify_keys(text)


def test_a_key_is_replaced_without_a_token_being_lost():
    """First the new key is accepted, then it signs, then the old one is forgotten."""
    old, new = SigningKey(pem(KEYS["ES256"])), SigningKey(pem(RSA_KEY))
    stages = [
        Issuer("https://x", (), old),
        Issuer("https://x", (), old, [new.public]),
        Issuer("https://x", (), new, [old.public, new.public]),
    ]
    for stage, algorithms in zip(stages, (["ES256"], ["ES256", "RS256"], ["ES256", "RS256"]), strict=True):
        assert json.loads(stage.configuration("x"))["id_token_signing_alg_values_supported"] == algorithms
        assert [key["kid"] for key in json.loads(stage.keys())["keys"]] == [key.id for key in stage.accepted]
    asked = Asked("ns", Ref("a", "u"), Bound(), ("x",), 600)
    for giver in stages:
        token = signing.parse(giver.issue(asked, "j", 0.0))
        assert token is not None
        for taker in stages[1:]:
            signing.verify(token, taker.accepted)
    assert [key.id for key in stages[2].accepted] == [new.public.id, old.public.id], "the one that signs is first"
    after = Issuer("https://x", (), new)
    gone = signing.parse(stages[0].issue(asked, "j", 0.0))
    assert gone is not None
    with pytest.raises(TokenError, match="no keys found"):
        signing.verify(gone, after.accepted)
