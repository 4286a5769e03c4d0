"""What the gateway adds: the same requests at a fixed rate, directly at product-catalog and through it."""

import json
import subprocess
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median

from harness import cores, tokens
from harness.rounds import answers
from harness.server import free_port, server
from measure import results
from measure.process import CommandFailed
from measure.program import target_folder
from measure.table import aligned

RATE = 500
GOAL_MS = 1.0
# How long one target is loaded before it is measured.
WARM_UP_SECONDS = 2
VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"
NANOSECONDS_OF_MS = 1e6


@dataclass(frozen=True)
class Latency:
    """What one attack of vegeta has seen."""

    turn: int
    way: str
    p50_ms: float
    p99_ms: float
    # Requests that were not answered 2xx.
    failed: int
    # How busy the servers' core was, from 0 to 1.
    server_busy: float


def vegeta(progress):
    """The program; built from the Go module proxy once, below the target folder."""
    folder = target_folder() / "tools"
    program = folder / "vegeta"
    if not program.exists():
        progress.now("build vegeta")
        built = subprocess.run(
            ["env", f"GOBIN={folder}", "go", "install", VEGETA], capture_output=True, text=True,
        )
        if built.returncode != 0:
            raise CommandFailed(f"go install {VEGETA} ended with {built.returncode}: {built.stderr}")
    return program


def measure(case, stage, program, options, progress):
    """Latencies of all rounds, directly and through the gateway in turns."""
    catalog, gateway = free_port(), free_port()
    with (
        service(case, stage, "product-catalog", catalog, case.headers(), {}),
        # Products are public: nobody has to log in, and internal tokens are the gateway's own affair.
        service(case, stage, "api-gateway", gateway, {}, told(catalog)),
    ):
        targets = {"direct": (catalog, case.headers()), "gateway": (gateway, {})}
        files = {way: stage.logs / f"{way}.targets" for way in targets}
        for way, (port, headers) in targets.items():
            write_targets(case, port, headers, files[way])
            attack(program, files[way], 0, way, WARM_UP_SECONDS)
        records = []
        for turn in range(1, options.rounds + 1):
            # Each is the first in every other round.
            for way in sorted(targets, reverse=turn % 2 == 0):
                progress.now(f"round {turn}: {way}, {RATE} requests/s")
                records.append(attack(program, files[way], turn, way, options.seconds))
        return records


def service(case, stage, name, port, headers, environment):
    environment = {**stage.environment, **environment, "LISTEN_ADDR": f"127.0.0.1:{port}"}
    command = cores.on_servers([stage.built / name])
    return server(command, stage.logs / f"{name}.log", partial(answers, port, case, headers), environment)


def told(catalog):
    """What the gateway has to know. Products need no other service and no session: nobody is at their addresses."""
    nobody = f"http://127.0.0.1:{free_port()}"
    urls = {"PRODUCT": f"http://127.0.0.1:{catalog}", "CUSTOMER": nobody, "ORDER": nobody, "ACTIVITY": nobody}
    services = {f"{name}_SERVICE_URL": url for name, url in urls.items()}
    secrets = {f"{name}_SERVICE_SECRET": tokens.SECRET for name in urls}
    return {**services, **secrets, "AWS_ENDPOINT_URL_DYNAMODB": nobody}


def write_targets(case, port, headers, file):
    """In vegeta's format: the request line, headers, an empty line."""
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
    requests = (f"{method} http://127.0.0.1:{port}{path}\n{lines}\n" for method, path, _ in case.requests())
    file.write_text("".join(requests), encoding="utf-8")


def attack(program, targets, turn, way, seconds):
    clock = cores.CoreClock()
    results_file = targets.with_suffix(".bin")
    run([program, "attack", "-rate", RATE, "-duration", f"{seconds}s", "-targets", targets, "-output", results_file])
    busy = clock.busy()
    return parse(run([program, "report", "-type", "json", results_file]), turn, way, busy)


def run(command):
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if ended.returncode != 0:
        raise CommandFailed(f"vegeta {command[1]} ended with {ended.returncode}: {ended.stderr}")
    return ended.stdout


def parse(report, turn, way, busy):
    figures = json.loads(report)
    good = sum(count for status, count in figures["status_codes"].items() if status.startswith("2"))
    latencies = figures["latencies"]
    return Latency(
        turn, way, latencies["50th"] / NANOSECONDS_OF_MS, latencies["99th"] / NANOSECONDS_OF_MS,
        figures["requests"] - good, busy,
    )


def summary(records):
    """Medians of both ways, and of the differences within the rounds."""
    def of(way):
        return [record for record in records if record.way == way]

    def row(way):
        return {
            "p50_ms": median(record.p50_ms for record in of(way)),
            "p99_ms": median(record.p99_ms for record in of(way)),
            "failed": sum(record.failed for record in of(way)),
            "server_busy": median(record.server_busy for record in of(way)),
        }

    pairs = [(direct, through) for direct in of("direct") for through in of("gateway") if direct.turn == through.turn]
    added = {
        "p50_ms": median(through.p50_ms - direct.p50_ms for direct, through in pairs),
        "p99_ms": median(through.p99_ms - direct.p99_ms for direct, through in pairs),
    }
    return {"direct": row("direct"), "gateway": row("gateway"), "added": added, "goal_p99_ms": GOAL_MS}


def table(summed):
    def cells(label, row):
        failed = str(row["failed"]) if "failed" in row else ""
        busy = f"{row['server_busy']:.0%}" if "server_busy" in row else ""
        return [label, f"{row['p50_ms']:.3f}", f"{row['p99_ms']:.3f}", failed, busy]

    rows = [
        cells("product-catalog directly", summed["direct"]), cells("through api-gateway", summed["gateway"]),
        cells("added by the gateway", summed["added"]),
    ]
    met = "met" if summed["added"]["p99_ms"] < GOAL_MS else "missed"
    heads = [f"GET /products/{{id}}, {RATE}/s", "p50 ms", "p99 ms", "not 2xx", "servers' core"]
    return [*aligned(heads, rows, range(1, len(heads))), f"goal: less than {GOAL_MS:g} ms at p99: {met}"]


def write_all(folder, summed, records, conditions):
    results.write_json(folder / "gateway.json", {"conditions": conditions, "summary": summed})
    results.write_csv(folder / "gateway.csv", [asdict(record) for record in records])
    (folder / "gateway.txt").write_text("\n".join(table(summed)) + "\n", encoding="utf-8")
