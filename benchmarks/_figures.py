"""What every benchmark prints: one line of JSON per figure."""

from __future__ import annotations

import json


def say(benchmark: str, figure: str, value: float, unit: str, **more: object) -> None:
    """Print one figure with its details."""
    line = {"benchmark": benchmark, "figure": figure, "value": round(value, 4), "unit": unit}
    print(json.dumps(line | more), flush=True)
