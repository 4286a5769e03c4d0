import json
import subprocess
import sys
import unittest

from harness import cores, gateway, tokens, wrk


def vegeta_report(statuses, p99):
    return json.dumps({"latencies": {"50th": 500_000, "99th": p99}, "requests": 100, "status_codes": statuses})


class ToolsTest(unittest.TestCase):
    def test_the_figures_of_wrk_are_the_last_line(self):
        line = '{"requests":500,"seconds":2.0,"p50_ms":1.5,"p99_ms":4.0,"refused":1,"broken":2}'
        load = wrk.parse(f"Running 2s test\n  1 threads\n{line}\n", 0.25, 0.125, 0.5)
        self.assertEqual((load.per_second, load.requests, load.refused, load.broken), (250, 500, 1, 2))
        self.assertEqual((load.cpu_us, load.server_share, load.others_share), (500, 0.125, 0.375))

    def test_processor_time_of_a_session_is_that_of_all_its_processes(self):
        busy = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
        script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])"
        child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 start_new_session=True)
        child.stdout.readline()
        seconds = cores.session_seconds(child.pid)
        child.communicate(b"\n")
        self.assertGreaterEqual(seconds, 0.3)
        self.assertEqual(cores.session_seconds(child.pid), 0)

    def test_whatever_is_not_2xx_has_failed(self):
        self.assertEqual(gateway.parse(vegeta_report({"200": 100}, 1e6), 1, "direct", 0.1).failed, 0)
        # 0 stands for no answer.
        self.assertEqual(gateway.parse(vegeta_report({"200": 90, "503": 7, "0": 3}, 1e6), 1, "direct", 0.1).failed, 10)

    def test_what_the_gateway_adds_is_the_median_of_the_differences_within_the_rounds(self):
        p99 = {("direct", 1): 1e6, ("gateway", 1): 2e6, ("direct", 2): 5e6, ("gateway", 2): 5.5e6,
               ("direct", 3): 1e6, ("gateway", 3): 9e6}
        records = [
            gateway.parse(vegeta_report({"200": 100}, time), turn, way, 0.1) for (way, turn), time in p99.items()
        ]
        summed = gateway.summary(records)
        self.assertEqual(summed["added"], {"p50_ms": 0, "p99_ms": 1.0})
        self.assertTrue(gateway.table(summed)[-1].endswith("missed"))

    def test_a_token_has_three_parts_without_padding(self):
        scheme, token = tokens.authorization("product-catalog", "anonymous").split(" ")
        self.assertEqual((scheme, token.count("."), "=" in token), ("Bearer", 2, False))
