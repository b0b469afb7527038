"""Claims of other providers under other names, and claims that have to be there."""

from bench import Bench
from rejections import expect_bare
from report import expect_same
from session import claims_without

OPTIONS = (
    *("--accept-type", "JWT"),
    *("--claim", "roles=/realm_access/roles"),
    *("--claim", "roles=/resource_access/a~1b/roles"),
    *("--claim", "user_id=/oid", "--claim", "login=/email"),
    *("--require-claim", "/typ=Bearer"),
)


def run(bench: Bench) -> None:
    """Tokens in the shape of Keycloak's, of which ID tokens are rejected."""
    claims = claims_without("roles", "preferred_username") | {
        "typ": "Bearer",
        "oid": "f3a1",
        "email": "anna@example.com",
        "realm_access": {"roles": ["clerk"]},
        "resource_access": {"a/b": {"roles": ["manager"]}},
    }
    key = bench.keys["RS256"]
    with bench.jwks_server("claims under other names", *OPTIONS) as server:
        with bench.report.check("--claim: nested roles, the user's id and login"):
            reply = server.session(bench.pyjwt.mint(key, "JWT", claims))
            expect_same(reply.status, 200)
            session = reply.json()
            expect_same(session["roles"], ["clerk", "manager"])
            expect_same(session["user"]["id"], "f3a1")
            expect_same(session["user"]["login"], "anna@example.com")
        for name, changes in (("an ID token", {"typ": "ID"}), ("no such claim", {})):
            with bench.report.check(f"--require-claim: {name} is rejected"):
                others = {k: v for k, v in claims.items() if k != "typ"} | changes
                token = bench.pyjwt.mint(key, "JWT", others)
                expect_bare(server.session(token), 401, "claim_invalid")
