"""Generated events with their answer key, made by `dataflow generate`."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from measure.process import check
from measure.rows import read_rows


@dataclass(frozen=True)
class DataSet:
    """Files of events and the rows that they must lead to."""

    folder: Path
    answers: Path

    @property
    def files(self):
        return sorted(self.folder.iterdir())

    def answer_rows(self):
        return read_rows([self.answers])[0]

    def megabytes(self):
        return sum(file.stat().st_size for file in self.files) / 1e6


def generate_files(dataflow, home, flags):
    """Events in a folder below `home`, a file for each partition. What is there with the same flags is used again."""
    # One partition would be a single file, and more are a folder: a file of a folder serves both.
    single = flags.get("partitions") == 1
    data = DataSet(home / "events", home / "answers.ndjson")
    made = home / "generated.json"
    if made.exists() and json.loads(made.read_text(encoding="utf-8")) == flags:
        return data
    shutil.rmtree(home, ignore_errors=True)
    data.folder.mkdir(parents=True)
    place = data.folder / "part-00000.ndjson" if single else data.folder
    command = [dataflow, "generate", "--to", f"ndjson:{place}", "--answers", data.answers, *as_arguments(flags)]
    check(command, home / "generate.log")
    # Last, so that half a data set is never taken for a whole one.
    made.write_text(json.dumps(flags), encoding="utf-8")
    return data


def generate_topic(dataflow, bootstrap, topic, answers, flags):
    """Events in a new topic; the rows that they must lead to."""
    command = [
        dataflow, "generate", "--to", "kafka", "--create-topics", "--topic", topic,
        "--kafka-bootstrap-servers", bootstrap, "--answers", answers, *as_arguments(flags),
    ]
    check(command, answers.with_suffix(".log"))
    return read_rows([answers])[0]


def as_arguments(flags):
    """`{"product_exponent": 1.1}` as `--product-exponent 1.1`."""
    return [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", str(value))]
