"""Where files are kept outside the database: a folder, or a bucket that speaks S3, as R2 does."""

from infra.object_storage.store import ObjectStore, StoreFailed, Writable, open_store

__all__ = ["ObjectStore", "StoreFailed", "Writable", "open_store"]
