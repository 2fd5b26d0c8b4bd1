"""Of the keys that an issuer publishes, only those are taken that are fit to verify with."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from infra.access.tokens.jwks import MOST_KEYS, NoKeySet, read_key_set
from tests.access.tokens.local_issuer import CURVED, FIRST, SigningKey, rsa_key

BOTH = frozenset({"RS256", "ES256"})
Key = Mapping[str, Any]


def without(key: Key, *names: str) -> Key:
    return {name: value for name, value in key.items() if name not in names}


def read(*keys: object, algorithms: frozenset[str] = BOTH) -> set[tuple[str, str]]:
    return set(read_key_set(json.dumps({"keys": keys}).encode(), algorithms))


def test_each_key_is_for_one_algorithm() -> None:
    published = (FIRST.published(), CURVED.published(), without(FIRST.published(kid="x"), "alg"))

    assert read(*published) == {("key-1", "RS256"), ("key-3", "ES256"), ("x", "RS256")}
    assert read(*published, algorithms=frozenset({"RS256"})) == {("key-1", "RS256"), ("x", "RS256")}


def test_use_may_be_left_open() -> None:
    assert read(without(FIRST.published(), "use")) == {("key-1", "RS256")}
    assert read(FIRST.published(key_ops=["verify"])) == {("key-1", "RS256")}


def _p384() -> Key:
    key: Key = ECAlgorithm.to_jwk(generate_private_key(SECP384R1()).public_key(), as_dict=True)
    return {**key, "kid": "other"}


def _private() -> Key:
    key: Key = RSAAlgorithm.to_jwk(rsa_key(1), as_dict=True)
    return {**without(key, "key_ops"), "kid": "other"}


UNFIT: dict[str, object] = {
    "too short": SigningKey("other", rsa_key(9, 1024)).published(),
    "for encryption": FIRST.published(kid="other", use="enc"),
    "for other operations": FIRST.published(kid="other", key_ops=["encrypt"]),
    "for another algorithm": FIRST.published(kid="other", alg="RS512"),
    "for an algorithm of another kind": FIRST.published(kid="other", alg="HS256"),
    "a secret": {"kty": "oct", "k": "c2VjcmV0", "kid": "other", "alg": "RS256"},
    "another curve": _p384(),
    "a curve of another kind": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "other"},
    "a point that is on no curve": CURVED.published(kid="other", y=CURVED.published()["x"]),
    "private": _private(),
    "without a name": without(FIRST.published(), "kid"),
    "name empty": FIRST.published(kid=""),
    "name a number": FIRST.published(kid=1),
    "name too long": FIRST.published(kid="k" * 257),
    "huge": FIRST.published(kid="other", n="_" * 2000),
    "modulus no number": FIRST.published(kid="other", n="ä"),
    "exponent no number": FIRST.published(kid="other", e="!"),
    "exponent zero": FIRST.published(kid="other", e="AA"),
    "without its numbers": {"kty": "RSA", "kid": "other"},
    "no object": "key",
    "null": None,
    "a list": [FIRST.published(kid="other")],
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_what_is_not_fit_is_passed_over(unfit: object) -> None:
    assert read(unfit, FIRST.published()) == {("key-1", "RS256")}
    with pytest.raises(NoKeySet, match="no key for the algorithms"):
        read(unfit)


def test_of_two_keys_of_one_name_the_first_counts() -> None:
    other = SigningKey(FIRST.key_id, rsa_key(2))
    document = json.dumps({"keys": [FIRST.published(), other.published()]}).encode()

    (key,) = read_key_set(document, BOTH).values()

    assert key.key.public_numbers() == FIRST.private.public_key().public_numbers()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"[]",
        b'"keys"',
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b'{"keys": ' + b"[" * 60_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(NoKeySet):
        read_key_set(document, BOTH)


def test_a_key_set_has_a_bound() -> None:
    keys = [FIRST.published(kid=f"key-{number}") for number in range(MOST_KEYS + 1)]

    assert len(read(*keys[:-1])) == MOST_KEYS
    with pytest.raises(NoKeySet, match=f"more than {MOST_KEYS}"):
        read(*keys)
