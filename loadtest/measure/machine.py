"""What the figures were taken on."""

import os
import platform
import re


def describe():
    return {
        "processor": first_match(r"model name\s*:\s*(.+)", "/proc/cpuinfo") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int(first_match(r"MemTotal:\s*(\d+) kB", "/proc/meminfo")) / 1024**2, 1),
        "system": platform.platform(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def first_match(pattern, path):
    with open(path, encoding="utf-8") as file:
        found = re.search(pattern, file.read())
    return found.group(1).strip() if found else None
