"""Which core does what. The server that is measured has one for itself; everything else shares the other."""

import os

GENERATOR, SERVER = 0, 1
# Of the fields of /proc/stat: idle and iowait.
IDLE = slice(3, 5)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class TooFewCores(Exception):
    """There is no core for the server alone."""


def take_generators():
    """Moves this process, and whatever it starts from now on, to the generator's core."""
    if not {GENERATOR, SERVER} <= os.sched_getaffinity(0):
        raise TooFewCores(f"cores {GENERATOR} and {SERVER} are needed; see taskset and the machine's settings")
    os.sched_setaffinity(0, {GENERATOR})


def on_servers(command):
    """The command, on the server's core."""
    return ["taskset", "--cpu-list", str(SERVER), *map(str, command)]


class CoreClock:
    """How busy the server's core is, whoever keeps it busy, from 0 to 1, since this was made."""

    def __init__(self):
        self.before = core_ticks()

    def busy(self):
        passed = [late - early for late, early in zip(core_ticks(), self.before)]
        return 1 - sum(passed[IDLE]) / max(1, sum(passed))


def core_ticks():
    with open("/proc/stat", encoding="ascii") as stat:
        line = next(line for line in stat if line.startswith(f"cpu{SERVER} "))
    return [int(field) for field in line.split()[1:9]]


def session_seconds(session):
    """The processor time of all processes of a session that are there."""
    return sum(ticks for found, ticks in map(session_and_ticks, processes()) if found == session) / TICKS_A_SECOND


def processes():
    return [name for name in os.listdir("/proc") if name.isdigit()]


def session_and_ticks(process):
    """Session, and user and system time in ticks, of a process; zeros where it has just ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stat:
            # The name, in parentheses, may hold anything; behind it come the third field and those that follow.
            fields = stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    return int(fields[3]), int(fields[11]) + int(fields[12])
