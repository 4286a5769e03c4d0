import tempfile
import unittest
from pathlib import Path

from measure.process import CommandFailed, check, measure

# What the runner may hold; the limit is far below it and above every interpreter.
BALLAST_MIB = 200
SMALL_MIB = 100


class ProcessTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = Path(folder.name) / "log"

    def measure(self, script, limit_seconds=60):
        return measure(["/bin/sh", "-c", script], self.log, limit_seconds)

    def test_wall_and_processor_time_are_measured(self):
        cost = self.measure("sleep 0.3")
        self.assertGreaterEqual(cost.wall_seconds, 0.3)
        self.assertLess(cost.cpu_seconds, 0.2)

    def test_descendants_count_also_when_their_parent_is_gone(self):
        busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
        self.assertGreater(self.measure(f"({busy}) & exit").cpu_seconds, 0.1)

    def test_the_memory_of_the_caller_does_not_count(self):
        ballast = bytearray(b"x") * (BALLAST_MIB << 20)
        self.assertLess(self.measure("true").peak_rss_mib, SMALL_MIB)
        self.assertEqual(len(ballast), BALLAST_MIB << 20)

    def test_a_failure_is_told_with_the_last_lines(self):
        with self.assertRaisesRegex(CommandFailed, "sh ended with 3: out of luck"):
            self.measure("echo out of luck >&2; exit 3")
        with self.assertRaisesRegex(CommandFailed, "sh was killed by SIGTERM: no output"):
            self.measure("kill -TERM $$")
        with self.assertRaisesRegex(CommandFailed, "ended with 4: bad"):
            check(["/bin/sh", "-c", "echo bad; exit 4"], self.log)

    def test_a_command_that_is_not_there_is_named(self):
        with self.assertRaisesRegex(CommandFailed, "does not start: /not/there: No such file"):
            measure(["/not/there"], self.log, 1)

    def test_a_run_that_takes_too_long_is_killed_with_all_that_it_started(self):
        with self.assertRaisesRegex(CommandFailed, "sh did not end within 0.3 s: begun"):
            self.measure("echo begun; sleep 30 & sleep 30", limit_seconds=0.3)
