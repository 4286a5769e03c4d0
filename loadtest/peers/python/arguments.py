"""The command line of a Python peer that reads files: `run VARIANT --parallelism N --output DIR --files F...`."""

import argparse
from pathlib import Path


def parse(variants):
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", choices=variants)
    parser.add_argument("--parallelism", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--files", nargs="+", required=True)
    return parser.parse_args()
