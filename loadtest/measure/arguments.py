"""Kinds of command line arguments."""

import argparse
from pathlib import Path


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not positive")
    return number


def names(text):
    return text.split(",")


def numbers(text):
    return [positive(part) for part in text.split(",")]


def path(text):
    return Path(text).resolve()
