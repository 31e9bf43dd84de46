"""Who may open what? Every read of the doors goes through ``Access.as_principal``."""

from riparian.storage.access.access import Access, Caller
from riparian.storage.access.data import MEDIA_TYPES, Download
from riparian.storage.access.pages import Page
from riparian.storage.access.view import View

__all__ = ["MEDIA_TYPES", "Access", "Caller", "Download", "Page", "View"]
