"""Starts one command, waits for it and all that it started, and prints what they cost as a line of JSON.

launcher.py LOG LIMIT-SECONDS COMMAND [ARG]...
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time

# From linux/prctl.h: orphaned descendants become children of this process, so that their cost is known too.
PR_SET_CHILD_SUBREAPER = 36
# How long descendants may outlive the command.
ORPHANS_SECONDS = 20


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    log, limit_seconds, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit(f"cannot become the reaper of orphans: {os.strerror(ctypes.get_errno())}")
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    busy_before = busy_seconds()
    began = time.perf_counter()
    try:
        child = os.posix_spawn(
            command[0], command, os.environ, setsid=True,
            file_actions=[(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)],
        )
    except OSError as error:
        os.write(output, f"{command[0]}: {error.strerror}\n".encode())
        print(json.dumps({"problem": "does not start", "cost": None}))
        return
    try:
        clock = Clock(child, limit_seconds)
        _, status, usage = os.wait4(child, 0)
        wall = time.perf_counter() - began
        clock.stop()
        orphans = Clock(child, ORPHANS_SECONDS)
        usages = [usage, *reap_orphans()]
        orphans.stop()
        whole = time.perf_counter() - began
    except BaseException:
        # Ctrl-C does not reach the command, whose session is its own.
        kill(child)
        raise
    busy = busy_seconds() - busy_before

    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    cost = {
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        # Linux counts ru_maxrss in KiB.
        "peak_rss_mib": max(usage.ru_maxrss for usage in usages) / 1024,
        "others_share": max(0.0, (busy - cpu) / (whole * os.cpu_count())),
    }
    print(json.dumps({"problem": problem(status, clock.rang, limit_seconds), "cost": cost}))


class Clock:
    """Kills the command and what it started when its time is up."""

    def __init__(self, group, seconds):
        self.rang = False
        self.group = group
        self.timer = threading.Timer(seconds, self.ring)
        self.timer.start()

    def ring(self):
        self.rang = True
        kill(self.group)

    def stop(self):
        self.timer.cancel()


def kill(group):
    """Kills the process group of the command, and every child of this process that has left it."""
    for send, target in [(os.killpg, group), *((os.kill, pid) for pid in children())]:
        try:
            send(target, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It has ended in this very moment.


def children():
    """All children of this process, adopted ones too."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as pids:
        return [int(pid) for pid in pids.read().split()]


def reap_orphans():
    while True:
        try:
            yield os.wait4(-1, 0)[2]
        except ChildProcessError:
            return


def busy_seconds():
    """The processor time that the whole machine has used: all of /proc/stat's first line but idle and iowait."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = [int(field) for field in stat.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def problem(status, timed_out, limit_seconds):
    if timed_out:
        return f"did not end within {limit_seconds:g} s"
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with {code}" if code else None


if __name__ == "__main__":
    main()
