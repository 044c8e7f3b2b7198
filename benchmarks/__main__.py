"""``python -m benchmarks [PART …]``: all parts, or those named; each prints figures and ``ratio NAME VALUE`` lines."""

from __future__ import annotations

import sys

from benchmarks import ingest

PARTS = {"ingest": ingest.main}


def main() -> int:
    """Run the parts named on the command line, all of them when none is."""
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; parts: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for name in names:
        print(f"== {name}", flush=True)
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
