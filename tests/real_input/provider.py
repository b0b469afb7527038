"""Starts and stops an OpenID provider, and gets tokens of it."""

import base64
import http.client
import json
import queue
import socket
import subprocess
import threading
import urllib.parse
from pathlib import Path
from typing import Self

from keys import Key
from report import expect

START_SECONDS = 30
REQUEST_SECONDS = 15
HERE = Path(__file__).parent
CREDENTIALS = base64.b64encode(b"shop:a%20secret%20of%20this%20test").decode()


class Provider:
    """An address at which a provider runs, with keys that the caller chooses, as a context manager."""

    def __init__(self, node: str, keys: Path) -> None:
        self._node = node
        self._keys = keys
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
            [self._node, HERE / "provider.mjs", str(self._port), str(self._keys)],
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
        form = urllib.parse.urlencode(
            {
                "grant_type": "client_credentials",
                "resource": "urn:orders",
                "scope": "orders.read",
            }
        )
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=REQUEST_SECONDS
        )
        try:
            connection.request(
                "POST",
                "/token",
                form,
                {
                    "Authorization": f"Basic {CREDENTIALS}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            response = connection.getresponse()
            body = json.loads(response.read())
            expect(response.status == 200, f"{response.status}: {body}")
            return body["access_token"]
        finally:
            connection.close()
