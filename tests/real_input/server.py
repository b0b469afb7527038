"""Starts and stops the example server, and speaks HTTP with it."""

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any, Self

from report import Report, expect

START_SECONDS = 30
STOP_SECONDS = 15
REQUEST_SECONDS = 15
LISTENING = re.compile(r"listening on http://(127\.0\.0\.1):(\d+)")

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    """An HTTP response, read to its end."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)

    def list_header(self, name: str) -> set[str]:
        """The members of a comma-separated field, in lower case."""
        fields = ",".join(self.headers.get_all(name, []))
        return {part.strip().lower() for part in fields.split(",") if part.strip()}


def bearer(token: str) -> Headers:
    """The header of RFC 6750."""
    return [("Authorization", f"Bearer {token}")]


class ExampleServer:
    """One run of the example server, as a context manager."""

    def __init__(self, binary: str, report: Report, name: str, *arguments: str) -> None:
        self._command = [binary, "--listen", "127.0.0.1:0", *arguments]
        self._report = report
        self._name = name
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: IO[str] = tempfile.TemporaryFile("w+")

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        try:
            self._host, self._port = self._wait_until_listening()
        except BaseException:
            self._end_by_force()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with self._report.check(f"server {self._name}: exits with 0 at SIGTERM"):
                self.terminate()
                self.expect_clean_exit()
        finally:
            self._end_by_force()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._host, self._port

    def terminate(self) -> None:
        """Asks the process to stop, without waiting."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def pause(self) -> None:
        """Stops the process, as SIGSTOP does, until `resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._process.send_signal(signal.SIGCONT)

    def reload(self, answer: str) -> None:
        """Has it read its keys again, and waits until it says what came of it."""
        self._process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.02)
            except queue.Empty:
                line = self._error_text()
            if answer in (line or ""):
                return
        raise TimeoutError(f"server {self._name} does not say {answer!r}")

    def expect_clean_exit(self) -> None:
        """Waits for the end of the process, which must be a success."""
        code = self._process.wait(STOP_SECONDS)
        expect(code == 0, f"exit code {code}: {self._error_text()}")

    def get(self, path: str, headers: Headers | None = None) -> Reply:
        """Sends a GET request."""
        return self.send("GET", path, headers or [])

    def session(self, token: str, headers: Headers | None = None) -> Reply:
        """Asks for the session of a bearer token."""
        return self.get("/session", bearer(token) + (headers or []))

    def post_json(self, path: str, token: str, value: Any) -> Reply:
        """Sends a POST request with a JSON body."""
        content = [("Content-Type", "application/json")]
        return self.send("POST", path, bearer(token) + content, json.dumps(value))

    def send(self, method: str, path: str, headers: Headers, body: str = "") -> Reply:
        """Sends a request; a header may occur twice."""
        connection = http.client.HTTPConnection(*self.address, timeout=REQUEST_SECONDS)
        content = body.encode()
        try:
            connection.putrequest(method, path)
            for name, value in headers:
                connection.putheader(name, value)
            if content:
                connection.putheader("Content-Length", str(len(content)))
            connection.endheaders(content or None)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def _wait_until_listening(self) -> tuple[str, int]:
        threading.Thread(target=self._read_output, daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(
                    f"server {self._name} did not listen in time"
                ) from None
            if line is None:
                code = self._process.wait(STOP_SECONDS)
                text = self._error_text()
                raise RuntimeError(f"server {self._name} ended with {code}: {text}")
            if found := LISTENING.search(line):
                return found[1], int(found[2])

    def _read_output(self) -> None:
        # Reads to the end, so that a full pipe never stops the server.
        for line in self._process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)

    def _error_text(self) -> str:
        # Not by seeking: the process writes where this file's position is.
        return os.pread(self._errors.fileno(), 65536, 0).decode().strip()

    def _end_by_force(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
        self._errors.close()
