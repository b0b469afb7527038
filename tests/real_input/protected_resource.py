"""The server as a protected resource (RFC 9728)."""

from bench import Bench
from report import expect, expect_same
from session import ISSUER

RESOURCE = "https://api.example.com/orders"
PATH = "/.well-known/oauth-protected-resource/orders"


def run(bench: Bench) -> None:
    """Its document, and the challenges that name it."""
    options = ("--resource", RESOURCE)
    with bench.jwks_server("a protected resource", *options) as server:
        with bench.report.check("--resource: its document needs no session"):
            reply = server.get(PATH)
            expect_same(reply.status, 200)
            expect_same(reply.headers.get_content_type(), "application/json")
            document = reply.json()
            expect_same(document["resource"], RESOURCE)
            expect_same(document["authorization_servers"], [ISSUER])
        with bench.report.check("--resource: a challenge names the document"):
            reply = server.get("/session")
            expect_same(reply.status, 401)
            challenge = reply.headers["WWW-Authenticate"]
            named = f'resource_metadata="https://api.example.com{PATH}"'
            expect(named in challenge, f"the challenge is {challenge}")
