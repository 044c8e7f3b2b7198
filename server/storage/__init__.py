"""Blobs: contents known by their SHA-256, in a folder of the data directory."""

from server.storage.blobs import BlobStore, NoSpace, StoredBlob, Upload

__all__ = ["BlobStore", "NoSpace", "StoredBlob", "Upload"]
