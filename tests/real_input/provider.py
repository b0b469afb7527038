"""Starts and stops an OpenID provider, and gets tokens of it."""

import base64
import hashlib
import http.client
import json
import queue
import re
import secrets
import socket
import subprocess
import threading
import urllib.parse
from email.message import Message
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Self

from keys import Key
from report import expect

START_SECONDS = 30
REQUEST_SECONDS = 15
HERE = Path(__file__).parent
FORM = "application/x-www-form-urlencoded"
RESOURCE = "urn:orders"
REDIRECT_URI = "http://127.0.0.1/signed-in"
CREDENTIALS = base64.b64encode(b"shop:a%20secret%20of%20this%20test").decode()


class Provider:
    """An address at which a provider runs, with keys that the caller chooses, as a context manager."""

    program = "provider.mjs"

    def __init__(self, node: str, keys: Path) -> None:
        self._node = node
        self._keys = keys
        self._arguments: tuple[str, ...] = ()
        self._process: subprocess.Popen[str] | None = None
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port = listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def issuer(self) -> str:
        """Its issuer identifier."""
        return f"http://127.0.0.1:{self._port}"

    def start(self, *keys: Key) -> None:
        """Runs it with these keys, of which the first signs, until `stop`."""
        self.stop()
        private = [{**key.private_jwk, "use": "sig"} for key in keys]
        self._keys.write_text(json.dumps({"keys": private}))
        self._process = subprocess.Popen(
            [
                *(self._node, HERE / self.program),
                *(str(self._port), str(self._keys), *self._arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        output = self._process.stdout
        threading.Thread(
            target=lambda: [lines.put(line) for line in output or ()], daemon=True
        ).start()
        while "listening on" not in lines.get(timeout=START_SECONDS):
            pass

    def stop(self) -> None:
        """Ends it; nothing listens at its address."""
        if self._process:
            self._process.kill()
            self._process.wait(REQUEST_SECONDS)
            self._process = None

    def token(self) -> str:
        """An access token from its token endpoint."""
        return self._token(
            grant_type="client_credentials", resource=RESOURCE, scope="orders.read"
        )

    def _token(self, **form: str) -> str:
        headers = {"Authorization": f"Basic {CREDENTIALS}"}
        status, _, body = self._send("POST", "/token", headers, form)
        expect(status == 200, f"{status}: {body}")
        return json.loads(body)["access_token"]

    def _send(
        self, method: str, path: str, headers: dict[str, str], form: dict[str, str]
    ) -> tuple[int, Message, str]:
        headers = headers | ({"Content-Type": FORM} if form else {})
        body = urllib.parse.urlencode(form) or None
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=REQUEST_SECONDS
        )
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()


class SignInProvider(Provider):
    """A provider where users sign in, and log out."""

    program = "sign_in.mjs"

    def __init__(self, node: str, keys: Path, secret_file: Path) -> None:
        super().__init__(node, keys)
        self._secret_file = secret_file

    def notify(self, uri: str) -> None:
        """Sets, before the start, where it posts logout tokens to."""
        self._arguments = (str(self._secret_file), uri)

    def browser(self) -> "Browser":
        """A browser that nobody has signed in with."""
        return Browser(self)


class Browser:
    """What a user signs in and logs out with."""

    def __init__(self, provider: SignInProvider) -> None:
        self._provider = provider
        self._cookies: dict[str, str] = {}

    def sign_in(self, user: str) -> str:
        """Follows the authorization code flow to an access token."""
        verifier = secrets.token_urlsafe(32)
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = {
            "client_id": "shop",
            "response_type": "code",
            "redirect_uri": REDIRECT_URI,
            "scope": "openid orders.read",
            "resource": RESOURCE,
            "login_hint": user,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        location = f"/auth?{urllib.parse.urlencode(query)}"
        while not location.startswith(REDIRECT_URI):
            status, headers, body = self._send("GET", location)
            expect(status == 303, f"{status}: {body}")
            location = headers["Location"].removeprefix(self._provider.issuer)
        answer = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)
        return self._provider._token(
            grant_type="authorization_code",
            code=answer["code"][0],
            redirect_uri=REDIRECT_URI,
            code_verifier=verifier,
            resource=RESOURCE,
        )

    def log_out(self) -> None:
        """Logs out at the provider, as by its page."""
        status, _, page = self._send("GET", "/session/end")
        expect(status == 200, f"{status}: {page}")
        xsrf = re.search(r'name="xsrf" value="(\w+)"', page)
        expect(xsrf is not None, page)
        form = {"xsrf": xsrf[1], "logout": "yes"}
        status, _, body = self._send("POST", "/session/end/confirm", form)
        expect(status == 303, f"{status}: {body}")

    def _send(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> tuple[int, Message, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies} if cookies else {}
        reply = self._provider._send(method, path, headers, form or {})
        for field in reply[1].get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(field).items():
                self._cookies[name] = morsel.value
        return reply
