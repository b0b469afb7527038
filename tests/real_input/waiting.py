"""Waits for what other processes do."""

import time
from collections.abc import Callable

from report import expect

PATIENCE_SECONDS = 40
PAUSE_SECONDS = 0.1


def wait_for(holds: Callable[[], bool], failure: str) -> None:
    """Returns as soon as the condition holds; fails if it does not in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        expect(time.monotonic() < deadline, f"{failure} after {PATIENCE_SECONDS} s")
        time.sleep(PAUSE_SECONDS)
