"""The publication and the audit log in the admin."""

from staff.admin import audit_log, publication

__all__ = ["audit_log", "publication"]
