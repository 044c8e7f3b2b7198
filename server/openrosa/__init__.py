"""Door 1: phones (OpenRosa, ODK Collect)."""

from server.openrosa.express import Express
from server.openrosa.views import blueprint

__all__ = ["Express", "blueprint"]
