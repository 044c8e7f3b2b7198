"""The embedded PostGIS cluster: made, started, watched and stopped with the standard library alone.

It lives outside `server.database` because the supervisor, which stays in memory as long as the server runs, needs the
cluster and must not load Flask and SQLAlchemy for it.
"""

from __future__ import annotations

from server.cluster.cluster import Cluster, ClusterStatus
from server.cluster.errors import ClusterError
from server.cluster.lock import DataDirLock

__all__ = ["Cluster", "ClusterError", "ClusterStatus", "DataDirLock"]
