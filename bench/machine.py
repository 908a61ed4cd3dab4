"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import timeit
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

CALIBRATION = orjson.dumps(
    {
        "id": "sim:006S00000001000AAA:3",
        "opportunity_id": "006S00000001000AAA",
        "source": "simulator",
        "occurred_at": "2026-11-20T10:00:00.000Z",
        "kind": "changed",
        "writer": {"id": "005S00000007000", "kind": "user"},
        "bulk": 1,
        "values": {"close_date": "2026-12-31", "discount_percent": "22.5", "stage": "Negotiation", "name": "Oaks"},
    }
)
"""306 bytes; orjson reads them in 0.61 us on the machine of design/engines.md."""


def machine() -> dict[str, Any]:
    """Cores, memory, versions, the date, and how fast this machine is at something known."""
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*:\s*(.+)", cpu)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "cpu": model[1] if model else platform.processor() or platform.machine(),
        "memory_gb": round(pages / 2**30),
        "python": platform.python_version(),
        "orjson_us": calibrate(),
    }


def calibrate() -> float:
    """Microseconds that orjson needs for the change above; the best of some."""
    count = 20_000
    return min(timeit.repeat(lambda: orjson.loads(CALIBRATION), number=count, repeat=7)) / count * 1e6
