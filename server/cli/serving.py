"""What ``xiangtu serve`` becomes: the supervisor, with the welcome that follows once the server answers."""

from __future__ import annotations

import sys

from server.config import load_settings
from server.supervisor import run

WELCOME = (sys.executable, "-m", "server.prepare", "--banner")

if __name__ == "__main__":
    sys.exit(run(load_settings(), welcome=WELCOME))
