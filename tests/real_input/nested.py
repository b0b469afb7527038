"""Nested sessions: in process, as a signed token, and at another server."""

import time
import uuid
from typing import Any

from bench import Bench
from rejections import expect_bare
from report import expect, expect_same
from server import ExampleServer, bearer
from session import (
    AUDIENCE,
    ISSUER,
    audience_list,
    claims_without,
    expected_session,
    full_claims,
)

TYP = "nested-session+jwt"
INHERITED = (
    *("iss", "client_id", "client_kind", "locale", "ui_locale"),
    *("utc_offset", "zoneinfo", "server", "instance", "auth_time"),
)
MOST_ACTORS = 4


def run(bench: Bench) -> None:
    """A server that mints nested tokens, and one that accepts them."""
    with bench.secret_server("signs nested tokens") as server:
        token = _check_nesting(bench, server)
        _check_rejections(bench, server)
        _check_leeway(bench, server)
        with bench.report.check("nested: rejected where it is not accepted by name"):
            expect_bare(server.session(token), 401, "token_unacceptable")
    with bench.secret_server("accepts nested tokens", "--accept-type", TYP) as server:
        _check_accepted(bench, server, token)
    both = ("--accept-type", "session+jwt", "--accept-type", TYP)
    with bench.secret_server("accepts both types", *both) as server:
        _check_depth(bench, server)


def _check_nesting(bench: Bench, server: ExampleServer) -> str:
    parent = full_claims(access_level="administrator")
    user = _user("Борис", "regular")
    answer = server.post_json("/nested", _mint(bench, parent), user).json()
    with bench.report.check("nested: the request's session stays as it was"):
        expect_same(answer["outer"], expected_session(parent))
    with bench.report.check("nested: the ambient session is the other user's"):
        session = answer["session"]
        expect_same(session["user"], _expected_user(user))
        expect_same(session["actor"], {**_actor(parent), "actor": None})
        expect(session["id"] != parent["sid"], "the session id is the parent's")
    for peer in bench.peers:
        with bench.report.check(f"nested: {peer.name} accepts the token"):
            key = bench.secret_key
            verified = peer.verify(key, answer["token"], ISSUER, AUDIENCE)
            expect_same(verified.header.get("typ"), TYP)
            _expect_claims(verified.claims, parent, user)
    return answer["token"]


def _expect_claims(
    claims: dict[str, Any], parent: dict[str, Any], user: dict[str, str]
) -> None:
    inherited = {name: claims.get(name) for name in INHERITED}
    expect_same(inherited, {name: parent[name] for name in INHERITED})
    expect_same(audience_list(claims["aud"]), audience_list(parent["aud"]))
    expect_same(claims["act"], _actor(parent, "auth_time"))
    named = {name: claims.get(name) for name in ("sub", "name")}
    expect_same(named, {name: user[name] for name in ("sub", "name")})
    expect_same(claims.get("access_level", "regular"), user["access_level"])
    expect(claims["exp"] <= parent["exp"], "it outlives its parent")
    for name in ("sid", "jti"):
        expect(claims[name] != parent[name], f"{name} is the parent's")


def _check_rejections(bench: Bench, server: ExampleServer) -> None:
    token = _mint(bench, full_claims(access_level="regular"))
    cases = [
        ("a level above the parent's", _user("Eve", "administrator"), 403),
        ("a body without a user", {"name": "Eve"}, 400),
        ("a body that is no object", ["Eve"], 400),
        ("a user that is a number", {"sub": 7}, 400),
        ("an unknown access level", _user("Eve", "root"), 400),
        ("an unknown member", _user("Eve", "regular") | {"elevated": True}, 400),
    ]
    for name, body, status in cases:
        with bench.report.check(f"nested: {name} is rejected"):
            expect_same(server.post_json("/nested", token, body).status, status)
    with bench.report.check("nested: a body that is no JSON is rejected"):
        reply = server.send("POST", "/nested", bearer(token), "{")
        expect_same(reply.status, 400)


def _check_leeway(bench: Bench, server: ExampleServer) -> None:
    now = int(time.time())
    for age, session, nested in ((20, 200, 200), (90, 401, 401)):
        with bench.report.check(f"nested: a parent that expired {age} s ago"):
            begin = now - 600
            claims = full_claims(exp=now - age, iat=begin, nbf=begin)
            token = _mint(bench, claims)
            expect_same(server.session(token).status, session)
            reply = server.post_json("/nested", token, _user("late", "regular"))
            expect_same(reply.status, nested)


def _check_accepted(bench: Bench, server: ExampleServer, token: str) -> None:
    with bench.report.check("nested: accepted by name, the session is the claims"):
        verified = bench.pyjwt.verify(bench.secret_key, token, ISSUER, AUDIENCE)
        reply = server.session(token)
        expect_same(reply.status, 200)
        expect_same(reply.json(), expected_session(verified.claims, TYP))
    with bench.report.check("nested: no session token passes for one"):
        plain = _mint(bench, full_claims())
        expect_bare(server.session(plain), 401, "token_unacceptable")
    with bench.report.check("nested: one without an actor is rejected"):
        claims = claims_without("act")
        orphan = bench.pyjwt.mint(bench.secret_key, TYP, claims)
        expect_bare(server.session(orphan), 401, "claim_invalid")


def _check_depth(bench: Bench, server: ExampleServer) -> None:
    with bench.report.check(f"nested: {MOST_ACTORS} actors and no more"):
        token = _mint(bench, full_claims())
        for depth in range(1, MOST_ACTORS + 1):
            reply = server.post_json("/nested", token, _user(f"n{depth}", "regular"))
            expect_same(reply.status, 200)
            token = reply.json()["token"]
            expect_same(_count_actors(server.session(token).json()), depth)
        reply = server.post_json("/nested", token, _user("n5", "regular"))
        expect_same(reply.status, 403)


def _count_actors(session: dict[str, Any]) -> int:
    count, actor = 0, session["actor"]
    while actor:
        count, actor = count + 1, actor["actor"]
    return count


def _user(name: str, access_level: str) -> dict[str, str]:
    return {"sub": str(uuid.uuid4()), "name": name, "access_level": access_level}


def _expected_user(user: dict[str, str]) -> dict[str, Any]:
    level = user["access_level"]
    return {
        "id": user["sub"],
        "name": user["name"],
        "login": None,
        "access_level": level,
    }


def _actor(parent: dict[str, Any], *more: str) -> dict[str, Any]:
    return {name: parent[name] for name in ("sub", "sid", "client_id", *more)}


def _mint(bench: Bench, claims: dict[str, Any]) -> str:
    return bench.jose.mint(bench.secret_key, "session+jwt", claims)
