"""The demonstration township: three surveys, five enumerators, 500 records of one month, sent as phones send them."""

from __future__ import annotations

from server.demo.loading import Loaded, load

__all__ = ["Loaded", "load"]
