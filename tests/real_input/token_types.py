"""Token types that other identity providers mint."""

import uuid
from typing import Any

from bench import Bench
from rejections import expect_bare
from report import expect_same
from server import ExampleServer, Reply
from session import claims_without, expected_session, full_claims


def run(bench: Bench) -> None:
    """`JWT` and `at+jwt`, each accepted by name only."""
    with bench.jwks_server("JWT", "--accept-type", "JWT") as server:
        for peer in bench.peers:
            for name, claims, session in _plain_cases():
                with bench.report.check(f"typ JWT by {peer.name}: {name}"):
                    token = peer.mint(bench.keys["RS256"], "JWT", claims)
                    _expect_session(server.session(token), session)
        with bench.report.check("typ JWT: no typ at all stands for it"):
            claims = _keycloak_claims()
            token = bench.pyjwt.mint(bench.keys["RS256"], "", claims)
            _expect_session(server.session(token), expected_session(claims, "JWT"))
        _check_others_rejected(bench, server)
    with bench.jwks_server("at+jwt", "--accept-type", "at+jwt") as server:
        for peer in bench.peers:
            with bench.report.check(f"typ at+jwt by {peer.name}: an RFC 9068 token"):
                claims = claims_without("sid", "client_kind", "ui_locale")
                token = peer.mint(bench.keys["PS256"], "at+jwt", claims)
                expected = expected_session(claims, "at+jwt", id=claims["jti"])
                _expect_session(server.session(token), expected)
        _check_others_rejected(bench, server)


def _plain_cases() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    keycloak, minimal = _keycloak_claims(), _minimal_claims()
    derived = expected_session(minimal, "JWT", id=_derived_id(minimal))
    return [
        ("as Keycloak mints", keycloak, expected_session(keycloak, "JWT")),
        ("no sid, jti, iat and client", minimal, derived),
    ]


def _keycloak_claims() -> dict[str, Any]:
    claims = claims_without("client_id", "client_kind", "access_level", "ui_locale")
    return claims | {
        "aud": ["account", "orders"],
        "azp": "web-shop",
        "typ": "Bearer",
        "email_verified": True,
        "realm_access": {"roles": ["offline_access", "uma_authorization"]},
        "allowed-origins": ["https://shop.example.com"],
    }


def _minimal_claims() -> dict[str, Any]:
    absent = ("sid", "jti", "iat", "nbf", "client_id", "client_kind", "access_level")
    return claims_without(*absent, "name", "ui_locale", "zoneinfo", "scope")


def _derived_id(claims: dict[str, Any]) -> str:
    parts = (str(claims.get(name, "")) for name in ("iss", "sub", "iat", "exp"))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(parts)))


def _check_others_rejected(bench: Bench, server: ExampleServer) -> None:
    with bench.report.check("a named type replaces the default"):
        key = bench.keys["RS256"]
        token = bench.pyjwt.mint(key, "session+jwt", full_claims())
        expect_bare(server.session(token), 401, "token_unacceptable")


def _expect_session(reply: Reply, expected: dict[str, Any]) -> None:
    expect_same(reply.status, 200)
    expect_same(reply.json(), expected)
