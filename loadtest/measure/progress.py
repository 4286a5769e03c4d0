"""Says what is being done: one line that changes on a terminal, plain lines elsewhere."""

import shutil
import sys
import time


class Progress:
    def __init__(self, stream=sys.stderr):
        self.stream = stream
        self.live = stream.isatty()
        self.began = time.monotonic()

    def now(self, text):
        """What is being done now."""
        self.write(text, end="" if self.live else "\n")

    def note(self, text):
        """Something that is to stay on the screen."""
        self.write(text, end="\n")

    def write(self, text, end):
        stamp = f"[{time.monotonic() - self.began:5.0f} s] "
        # On a terminal the line before is replaced: back to its beginning, and erase it.
        head = "\r\x1b[K" if self.live else ""
        if self.live and end == "":
            text = text[: terminal_width() - len(stamp) - 1]
        print(head + stamp + text, end=end, file=self.stream, flush=True)

    def done(self):
        if self.live:
            print("\r\x1b[K", end="", file=self.stream, flush=True)


def terminal_width():
    return shutil.get_terminal_size().columns
