"""Tokens that our issuer mints, read by the libraries of others and by us."""

import json
import subprocess
import uuid
from typing import Any

from bench import Bench
from keys import Key
from peers import Verified
from report import expect, expect_same
from session import AUDIENCE, ISSUER, audience_list, expected_session

TIMEOUT_SECONDS = 30
LIFETIME = 900
CLAIMS: dict[str, Any] = {
    "name": "Анна Ёлкина",
    "locale": "ru-RU",
    "ui_locale": "en-US",
    "utc_offset": -210,
    "zoneinfo": "America/St_Johns",
    "client_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "client_kind": "desktop",
    "server": "main",
    "instance": "default",
    "scope": "orders:read orders:write",
    "roles": ["clerk", "Leitung"],
}
OPTIONS = {
    "name": "--name",
    "locale": "--culture",
    "ui_locale": "--ui-culture",
    "utc_offset": "--utc-offset",
    "zoneinfo": "--time-zone",
    "client_id": "--client-id",
    "client_kind": "--client-kind",
    "server": "--server",
    "instance": "--instance",
    "scope": "--scope",
    "roles": "--role",
}


def run(bench: Bench) -> None:
    """A token of every algorithm, once with every claim and once with few."""
    with bench.jwks_server("tokens of our own") as server:
        for key in bench.keys.values():
            with bench.report.guard(f"our {key.algorithm}: minted"):
                subject = str(uuid.uuid4())
                token = _mint(bench, key, subject, CLAIMS)
                _check_peers(bench, key, token, {"sub": subject, **CLAIMS})
                with bench.report.check(f"our {key.algorithm}: read by ourselves"):
                    claims = bench.jose.verify(key, token, ISSUER, AUDIENCE).claims
                    reply = server.session(token)
                    expect_same(reply.status, 200)
                    expect_same(reply.json(), expected_session(claims))
    with bench.report.guard("our token with few claims: minted"):
        key = bench.keys["ES256"]
        token = _mint(bench, key, "anna", {})
        _check_peers(bench, key, token, {"sub": "anna"})


def _mint(bench: Bench, key: Key, subject: str, claims: dict[str, Any]) -> str:
    path = bench.directory / f"{key.kid}.json"
    path.write_text(json.dumps(key.private_jwk))
    command = [bench.mint_binary, "--jwk", str(path), "--issuer", ISSUER]
    command += ["--audience", AUDIENCE, "--subject", subject]
    command += ["--lifetime", str(LIFETIME)]
    for name, value in claims.items():
        for word in value if isinstance(value, list) else [value]:
            command += [OPTIONS[name], str(word)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    expect(done.returncode == 0, f"mint_token failed: {done.stderr.strip()}")
    token = done.stdout.removesuffix("\n")
    expect(token.count(".") == 2 and not token.split()[1:], "more than a token")
    return token


def _check_peers(bench: Bench, key: Key, token: str, expected: dict[str, Any]) -> None:
    label = f"our {key.algorithm} with {len(expected)} claims"
    for peer in bench.peers:
        if not peer.knows(key.algorithm):
            print(f"note  {peer.name} knows no algorithm {key.algorithm}")
            continue
        with bench.report.check(f"{label}: read by {peer.name}"):
            verified = peer.verify(key, token, ISSUER, AUDIENCE)
            _expect_token(key, verified, expected)


def _expect_token(key: Key, verified: Verified, expected: dict[str, Any]) -> None:
    header = {"alg": key.algorithm, "kid": key.kid, "typ": "session+jwt"}
    expect_same(verified.header, header)
    claims = verified.claims
    expect_same({name: claims.get(name) for name in expected}, expected)
    expect_same(claims["iss"], ISSUER)
    expect_same(audience_list(claims["aud"]), [AUDIENCE])
    # `iat` has milliseconds, `exp` is a whole second before the lifetime's end.
    lifetime = claims["exp"] - claims["iat"]
    expect(LIFETIME - 1 < lifetime <= LIFETIME, f"it lives {lifetime} s")
    for name in ("jti", "sid"):
        uuid.UUID(claims[name])
