"""The programs that are measured, built from this workspace."""

import os
from pathlib import Path

from measure.process import check

ROOT = Path(__file__).resolve().parents[2]


def target_folder():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def shipped_program(package, log):
    """Builds the package as it is shipped; the path of the program, which has its name."""
    check(["cargo", "build", "--quiet", "--locked", "--profile", "dist", "--package", package], log, folder=ROOT)
    return target_folder() / "dist" / package
