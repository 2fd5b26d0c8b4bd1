"""What a CDN keeps of our answers, and how it is told that these are no longer so."""

from infra.cdn.purger import PurgeFailed, Purger
from infra.cdn.tags import resource_tag, tenant_tag

__all__ = ["PurgeFailed", "Purger", "resource_tag", "tenant_tag"]
