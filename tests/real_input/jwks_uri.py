"""Keys that the server reads over TLS, with a certificate of its own authority."""

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from bench import TRUST, Bench
from report import expect, expect_same
from server import ExampleServer
from session import ISSUER, full_claims
from waiting import wait_for

CERTIFICATES = Path(__file__).parents[2] / "lab" / "provider" / "certificates"


def run(bench: Bench) -> None:
    """An authority that the server trusts, and one that it does not."""
    key = bench.keys["ES256"]
    token = bench.pyjwt.mint(key, "session+jwt", full_claims())
    with _https(bench.jwks.read_bytes()) as uri:
        trusted = ("--root-certificate", str(CERTIFICATES / "authority.pem"))
        with _server(bench, uri, *trusted) as server:
            with bench.report.check("--jwks-uri: keys are read over TLS"):
                wait_for(lambda: server.get("/readyz").status == 200, "it is not ready")
                expect_same(server.session(token).status, 200)
        with _server(bench, uri) as server:
            with bench.report.check("--jwks-uri: a stranger's certificate is rejected"):
                wait_for(
                    lambda: b"certificate is not trusted" in server.get("/readyz").body,
                    "it does not say why it is not ready",
                )
                ready = server.get("/readyz")
                expect_same(ready.status, 503)
                expect(ISSUER in ready.body.decode(), "it does not name the issuer")
                reply = server.session(token)
                expect_same(reply.status, 503)
                expect(reply.headers["Retry-After"].isdigit(), "no Retry-After")


def _server(bench: Bench, uri: str, *options: str) -> ExampleServer:
    arguments = (*TRUST, "--jwks-uri", uri, *options)
    name = "with keys over TLS"
    return ExampleServer(bench.server_binary, bench.report, name, *arguments)


@contextlib.contextmanager
def _https(document: bytes) -> Iterator[str]:
    """The address at which the document is, until the end."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            # A client that does not trust the certificate.
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "good.pem", CERTIFICATES / "leaf.key.pem")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}/jwks.json"
        finally:
            server.shutdown()
            thread.join()
