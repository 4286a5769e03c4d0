"""A server as a child process: started with its output in a file, awaited, and ended in order."""

import contextlib
import os
import signal
import socket
import subprocess
import time

from measure.process import CommandFailed, last_lines, read

START_SECONDS = 30
STOP_SECONDS = 30
PAUSE_SECONDS = 0.05


@contextlib.contextmanager
def server(command, log, answers, environment=None, user=None, stop=signal.SIGTERM):
    """Runs `command` until the block ends, which begins when `answers()` is true."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        child = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})}, start_new_session=True, **as_user(user),
        )
    try:
        wait(child, log, answers)
        yield child
        if child.poll() is not None:
            raise CommandFailed(f"{log.stem} ended by itself: {last_lines(read(log))}")
    finally:
        end(child, log, stop)


def as_user(user):
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def wait(child, log, answers):
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if child.poll() is not None:
            raise CommandFailed(f"{log.stem} ended while it started: {last_lines(read(log))}")
        if time.monotonic() > deadline:
            raise CommandFailed(f"{log.stem} did not answer within {START_SECONDS} s: {last_lines(read(log))}")
        time.sleep(PAUSE_SECONDS)


def end(child, log, stop):
    if child.poll() is None:
        child.send_signal(stop)
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # Its session is its own, and so are all its workers.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise CommandFailed(f"{log.stem} did not end within {STOP_SECONDS} s of {stop.name}; it was killed") from None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
