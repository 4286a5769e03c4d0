"""Runs a command to its end and says what it cost."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
# How much of a failed command's output is told.
TOLD_LINES = 12
TOLD_CHARACTERS = 2000


@dataclass(frozen=True)
class Cost:
    """What one run of a command took. Descendants count, also those that outlive their parents."""

    wall_seconds: float
    cpu_seconds: float
    # Of the largest process, not of all together.
    peak_rss_mib: float
    # The part of the machine's cores that was busy with something else meanwhile, 0 to 1.
    others_share: float


class CommandFailed(Exception):
    """A command that did not end well; the text has its last lines."""


def measure(command, log, limit_seconds, environment=None):
    """Runs `command`, with its output in the file `log`, and returns its `Cost`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    # The launcher is a process of its own because Linux counts the memory of the process that forked in the peak of
    # the one that it starts: this one may hold an answer key.
    launch = [sys.executable, "-I", "-S", str(LAUNCHER), str(log), str(limit_seconds), *map(str, command)]
    ended = subprocess.run(launch, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    if ended.returncode != 0:
        raise CommandFailed(f"the launcher of {command[0]} failed: {last_lines(ended.stderr)}")
    report = json.loads(ended.stdout)
    if report["problem"] is not None:
        raise CommandFailed(f"{Path(command[0]).name} {report['problem']}: {last_lines(read(log))}")
    return Cost(**report["cost"])


def check(command, log, limit_seconds=None, environment=None, folder=None):
    """Runs `command`, which is not measured, with its output in the file `log`; raises `CommandFailed`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    name = Path(command[0]).name
    try:
        with open(log, "wb") as file:
            ended = subprocess.run(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                timeout=limit_seconds, env=environment, cwd=folder,
            )
    except OSError as error:
        raise CommandFailed(f"{command[0]} does not start: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{name} did not end within {limit_seconds} s: {last_lines(read(log))}") from error
    if ended.returncode != 0:
        raise CommandFailed(f"{name} ended with {ended.returncode}: {last_lines(read(log))}")


def last_lines(text):
    """The end of a command's output, where it says what went wrong."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-TOLD_LINES:])[-TOLD_CHARACTERS:] or "no output"


def read(log):
    return log.read_text(encoding="utf-8", errors="replace")
