"""JWK Sets as other software writes them, and keys as tokens name them."""

import json
from typing import Any

import jwt

import keys
from bench import Bench
from rejections import expect_bare
from report import expect_same
from session import full_claims

Jwk = dict[str, Any]
# What serialisers leave in a key that is usable all the same.
USABLE: tuple[tuple[str, str, Jwk], ...] = (
    ("a curve that is null", "RS256", {"crv": None}),
    ("a curve of another kind of key", "RS256", {"crv": "P-256"}),
    ("an RSA member in an EC key", "ES256", {"n": 7}),
    ("empty key_ops", "ES256", {"key_ops": []}),
    ("key_ops that are null", "EdDSA", {"key_ops": None}),
    ("a use that is null", "ES256", {"use": None}),
    ("empty oth", "RS256", {"oth": []}),
    ("an x5c that is null", "PS256", {"x5c": None, "x5t": None, "x5u": None}),
    ("members that nobody knows", "EdDSA", {"exp": 1, "revoked": None}),
)
UNUSABLE: tuple[tuple[str, Jwk], ...] = (
    ("for encryption", {"use": "enc"}),
    ("not for verifying", {"key_ops": ["encrypt"]}),
)
CERTIFICATE = "MII" + "A" * 797


def run(bench: Bench) -> None:
    """A server for each set."""
    for name, algorithm, members in USABLE:
        jwk = bench.keys[algorithm].public_jwk | members
        _check(bench, f"{name} is ignored", algorithm, _set(jwk))
    for name, members in UNUSABLE:
        _check_left_out(bench, name, members)
    marked = "\ufeff" + _set(_es256(bench))
    _check(bench, "a byte order mark is ignored", "ES256", marked)
    _check_one_id(bench)
    _check_certificate(bench)


def _check(bench: Bench, name: str, algorithm: str, text: str) -> None:
    path = bench.directory / "set.json"
    path.write_text(text, "utf-8")
    with bench.report.guard(f"JWK Set: {name}"):
        with bench.file_server(f"JWK Set, {name}", path) as server:
            with bench.report.check(f"JWK Set: {name}"):
                token = _mint(bench, bench.keys[algorithm])
                expect_same(server.session(token).status, 200)


def _check_left_out(bench: Bench, name: str, members: Jwk) -> None:
    path = bench.directory / "set.json"
    key = bench.keys["RS256"]
    path.write_text(_set(_es256(bench), key.public_jwk | members))
    with bench.file_server(f"a key {name}", path) as server:
        with bench.report.check(f"JWK Set: a key {name} is left out, the rest is used"):
            left_out, used = (_mint(bench, k) for k in (key, bench.keys["ES256"]))
            expect_bare(server.session(left_out), 401, "token_unacceptable")
            expect_same(server.session(used).status, 200)


def _check_one_id(bench: Bench) -> None:
    """`kid` and `alg` together name a key (RFC 7517 §4.5)."""
    path = bench.directory / "set.json"
    key = bench.keys["RS256"]
    names = ("RS256", "RS512")
    path.write_text(_set(*(key.public_jwk | {"alg": name} for name in names)))
    with bench.file_server("two algorithms under one id", path) as server:
        for name in (*names, "RS384"):
            token = jwt.encode(
                full_claims(),
                key.signing,
                algorithm=name,
                headers={"typ": "session+jwt", "kid": key.kid},
            )
            with bench.report.check(f"JWK Set: {name} under the id of RS256 and RS512"):
                if name in names:
                    expect_same(server.session(token).status, 200)
                else:
                    expect_bare(server.session(token), 401, "token_unacceptable")


def _check_certificate(bench: Bench) -> None:
    with bench.jwks_server("a certificate in a token's header") as server:
        key = bench.keys["ES256"]
        headers = {"typ": "session+jwt", "kid": key.kid, "x5c": [CERTIFICATE]}
        token = jwt.encode(
            full_claims(), key.signing, algorithm="ES256", headers=headers
        )
        with bench.report.check("header: an x5c of 800 bytes is ignored"):
            expect_same(server.session(token).status, 200)


def _set(*jwks: Jwk) -> str:
    return json.dumps({"keys": jwks})


def _es256(bench: Bench) -> Jwk:
    return bench.keys["ES256"].public_jwk


def _mint(bench: Bench, key: keys.Key) -> str:
    return bench.pyjwt.mint(key, "session+jwt", full_claims())
