"""Xiangtu (乡图): the server. Rooms and arrows are described in ``docs/architecture.md``."""

__version__ = "0.1.0"
