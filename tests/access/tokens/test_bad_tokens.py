"""The corpus of bad tokens: each is nobody's, and none of them says why to anybody but the log."""

import json
from collections.abc import Callable, Mapping

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.typing import EventDict

from infra.access.bearer import LONGEST_TOKEN
from tests.access.tokens.conftest import NOW, ORIGIN, WHO, Door
from tests.access.tokens.local_issuer import (
    CURVED,
    FIRST,
    KEYS,
    SECOND,
    SigningKey,
    encoded,
    part,
    signed_with_secret,
)

Make = Callable[[Door], str]


def with_claims(**changed: object) -> Make:
    return lambda door: FIRST.token(door.claims(**changed))


def with_header(**header: object) -> Make:
    return lambda door: FIRST.token(door.claims(), **header)


def raw_claims(change: Callable[[str], str | bytes]) -> Make:
    def make(door: Door) -> str:
        changed = change(json.dumps(door.claims()))
        text = changed if isinstance(changed, bytes) else changed.encode()
        return FIRST.signed(part({"alg": "RS256", "kid": FIRST.key_id}), encoded(text))

    return make


def raw_header(text: str) -> Make:
    return lambda door: FIRST.signed(encoded(text.encode()), part(door.claims()))


def signed_with_the_public_key(form: Encoding, shown: PublicFormat) -> Make:
    secret = FIRST.private.public_key().public_bytes(form, shown)
    return lambda door: signed_with_secret(secret, door.claims(), kid=FIRST.key_id)


def changed_signature(door: Door) -> str:
    signed, _, signature = FIRST.token(door.claims()).rpartition(".")
    return f"{signed}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def other_claims_signature(door: Door) -> str:
    signature = FIRST.token(door.claims()).rpartition(".")[2]
    return f"{FIRST.token(door.claims(sub='user_2')).rpartition('.')[0]}.{signature}"


def loose_bits(door: Door) -> str:
    """The same bytes of a signature, written in another way."""
    token = FIRST.token(door.claims())
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + letters[letters.index(token[-1]) ^ 1]


def without_signature(algorithm: object) -> Make:
    return lambda door: (
        f"{part({'typ': 'JWT', 'alg': algorithm, 'kid': 'key-1'})}.{part(door.claims())}."
    )


IMPOSTOR = SigningKey(FIRST.key_id, SECOND.private)
OWN_KEY = IMPOSTOR.published()

TIMES: dict[str, Make] = {
    "expired": with_claims(exp=NOW - 5),
    "expired long ago": with_claims(exp=NOW - 100_000, iat=NOW - 100_060),
    "not yet valid": with_claims(nbf=NOW + 6),
    "issued in the future": with_claims(iat=NOW + 6),
    "without exp": with_claims(exp=None),
    "without nbf": with_claims(nbf=None),
    "without iat": with_claims(iat=None),
    "exp after more than a day": with_claims(exp=NOW + 86_401),
    "exp beyond all time": with_claims(exp=10**30),
    "exp as a text": with_claims(exp=str(NOW + 60)),
    "exp true": with_claims(exp=True),
    "exp in a list": with_claims(exp=[NOW + 60]),
    "iat negative": with_claims(iat=-1),
    "nbf null": raw_claims(lambda claims: claims.replace(f'"nbf": {NOW - 10}', '"nbf": null')),
    "exp infinite": raw_claims(lambda claims: claims.replace(str(NOW + 60), "1e999")),
    "exp Infinity": raw_claims(lambda claims: claims.replace(str(NOW + 60), "Infinity")),
    "exp NaN": raw_claims(lambda claims: claims.replace(str(NOW + 60), "NaN")),
    "exp of 5,000 digits": raw_claims(lambda claims: claims.replace(str(NOW + 60), "9" * 5000)),
}
ALGORITHMS: dict[str, Make] = {
    "none": without_signature("none"),
    "None": without_signature("None"),
    "none with a signature": with_header(alg="none"),
    "no algorithm": with_header(alg=None),
    "algorithm null": raw_header('{"alg": null, "kid": "key-1"}'),
    "algorithm in a list": with_header(alg=["RS256"]),
    "HS256 with the public key as PEM": signed_with_the_public_key(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    ),
    "HS256 with the public key as PKCS 1": signed_with_the_public_key(
        Encoding.PEM, PublicFormat.PKCS1
    ),
    "HS256 with the public key as DER": signed_with_the_public_key(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ),
    "HS256 with nothing": lambda door: signed_with_secret(b"\0", door.claims(), kid="key-1"),
    "RS256 said, ES256 done": lambda door: CURVED.token(door.claims(), alg="RS256", kid="key-1"),
    "ES256, which Clerk does not use": lambda door: CURVED.token(door.claims()),
    "PS256": with_header(alg="PS256"),
    "RS512": with_header(alg="RS512"),
}
KEY_NAMES: dict[str, Make] = {
    "signed by another key of the same name": lambda door: IMPOSTOR.token(door.claims()),
    "key unknown": lambda door: SECOND.token(door.claims()),
    "no key named": with_header(kid=None),
    "key's name empty": with_header(kid=""),
    "key's name a number": with_header(kid=1),
    "key's name a path": with_header(kid="../../../../dev/null"),
    "key's name of 300 letters": with_header(kid="k" * 300),
    "jku": lambda door: IMPOSTOR.token(door.claims(), jku=door.issuer.address + KEYS),
    "jwk": lambda door: IMPOSTOR.token(door.claims(), jwk=OWN_KEY),
    "x5u": lambda door: IMPOSTOR.token(door.claims(), x5u=door.issuer.address + "/chain.pem"),
    "x5c": lambda door: IMPOSTOR.token(door.claims(), x5c=["MIIB"]),
    "well signed, with jku": lambda door: FIRST.token(door.claims(), jku=door.issuer.address),
    "well signed, with jwk": with_header(jwk=FIRST.published()),
    "well signed, with x5u": with_header(x5u="https://issuer.example.com/chain.pem"),
    "well signed, with x5c": with_header(x5c=[]),
    "crit": with_header(crit=["exp"]),
    "crit that PyJWT knows": with_header(crit=["b64"], b64=True),
    "b64": with_header(b64=False),
    "jwk and all": with_header(jku=None, jwk=OWN_KEY, x5c=["MIIB"]),
    "another kind of token": with_header(typ="logout+jwt"),
    "its kind a list": with_header(typ=["JWT"]),
}
MEANT: dict[str, Make] = {
    "other issuer": with_claims(iss="https://other.example.com"),
    "issuer with a slash": lambda door: FIRST.token(door.claims(iss=f"{door.issuer.address}/")),
    "issuer in a list": lambda door: FIRST.token(door.claims(iss=[door.issuer.address])),
    "no issuer": with_claims(iss=None),
    "other azp": with_claims(azp="https://evil.example.com"),
    "azp that begins alike": with_claims(azp=ORIGIN + ".evil.example.com"),
    "azp in a list": with_claims(azp=[ORIGIN]),
    "no azp": with_claims(azp=None),
    "meant for somebody": with_claims(aud="https://api.example.com"),
    "meant for nobody": with_claims(aud=[]),
    "session pending": with_claims(sts="pending"),
    "session of a status that is not known": with_claims(sts="asleep"),
    "claims of version 3": with_claims(v=3),
    "version true": with_claims(v=True),
    "version in a list": with_claims(v=[2]),
    "no subject": with_claims(sub=None),
    "subject empty": with_claims(sub=""),
    "subject a number": with_claims(sub=1),
    "subject too long": with_claims(sub="u" * 256),
    "subject with a line break": with_claims(sub="user_1\nadmin"),
    "subject half a character": raw_claims(lambda claims: claims.replace("user_1", r"\ud800")),
    "organisation a list": with_claims(o=["org_1"]),
    "organisation's id an object": with_claims(o={"id": {}, "rol": "admin"}),
    "impersonated by nobody": with_claims(act={"iss": "https://dashboard.clerk.com"}),
    "impersonation a text": with_claims(act="user_2"),
    "impersonation null": raw_claims(lambda claims: claims[:-1] + ', "act": null}'),
}
FORM: dict[str, Make] = {
    "too long": with_claims(padding="x" * LONGEST_TOKEN),
    "claims twice": raw_claims(lambda claims: claims[:-1] + ', "sub": "user_2"}'),
    "claims twice, within": raw_claims(
        lambda claims: claims.replace('"rol": "member"', '"rol": "member", "rol": "admin"')
    ),
    "header twice": raw_header('{"alg": "none", "alg": "RS256", "kid": "key-1"}'),
    "claims no JSON": raw_claims(lambda _: "claims"),
    "claims empty": raw_claims(lambda _: ""),
    "claims a list": raw_claims(lambda claims: f"[{claims}]"),
    "claims a text": raw_claims(json.dumps),
    "claims nested deeply": raw_claims(lambda claims: f'{claims[:-1]}, "x": {"[" * 4000}'),
    "claims nested, well formed": raw_claims(lambda _: "[" * 2500 + "]" * 2500),
    "claims in UTF-16": raw_claims(lambda claims: claims.encode("utf-16")),
    "claims in no encoding": raw_claims(lambda claims: claims.encode() + b"\xff"),
    "claims with more after them": raw_claims(lambda claims: claims + "{}"),
    "header no JSON": raw_header("header"),
    "header a list": raw_header('["RS256"]'),
    "header nested deeply": raw_header("[" * 5000),
    "signature wrong": changed_signature,
    "signature of other claims": other_claims_signature,
    "signature in another spelling": loose_bits,
    "signature cut": lambda door: FIRST.token(door.claims())[:-4],
    "signature with padding": lambda door: FIRST.token(door.claims()) + "==",
    "no signature": lambda door: FIRST.token(door.claims()).rpartition(".")[0],
    "empty signature": lambda door: FIRST.token(door.claims()).rpartition(".")[0] + ".",
    "five parts": lambda door: FIRST.token(door.claims()) + ".a.b",
    "a space": lambda door: FIRST.token(door.claims()) + " ",
    "a line break": lambda door: FIRST.token(door.claims()) + "\n",
    "nothing": lambda _: "",
    "dots": lambda _: "..",
    "no ASCII": lambda _: "ä.ö.ü",
    "no characters": lambda _: "\udc80.\udc81.\udc82",
    "NUL": lambda _: "\0.\0.\0",
}
CORPUS: dict[str, dict[str, Make]] = {
    "times": TIMES,
    "algorithms": ALGORITHMS,
    "keys": KEY_NAMES,
    "meant for others": MEANT,
    "form": FORM,
}


@pytest.mark.parametrize("tokens", CORPUS.values(), ids=CORPUS)
async def test_a_bad_token_is_nobodys(door: Door, tokens: Mapping[str, Make]) -> None:
    let_in = {name for name, make in tokens.items() if await door.comes(make(door)) is not None}
    assert await door.comes_with() == WHO
    let_in |= {name for name, make in tokens.items() if await door.comes(make(door)) is not None}

    assert not let_in
    assert len(door.admission.came) == 1


@pytest.mark.parametrize("tokens", CORPUS.values(), ids=CORPUS)
async def test_the_log_alone_says_why_and_nothing_of_what_came(
    door: Door, log: list[EventDict], tokens: Mapping[str, Make]
) -> None:
    for name, make in tokens.items():
        log.clear()
        token = make(door)
        await door.comes(token)
        (line,) = log
        assert set(line) == {"event", "log_level", "issuer", "reason"}, name
        assert line["log_level"] == "debug"
        shown = line["reason"]
        pieces = {"user_1", "org_1", "evil", "key-1", "sess_1", *token.split(".")}
        assert not {piece for piece in pieces if len(piece) > 1 and piece in shown}, name


async def test_no_address_in_a_token_is_ever_asked(door: Door) -> None:
    await door.comes_with()
    door.issuer.fetches.clear()

    for header in ("jku", "x5u"):
        assert await door.comes_with(None, FIRST, **{header: f"{door.issuer.address}/x"}) is None

    assert not door.issuer.fetches
