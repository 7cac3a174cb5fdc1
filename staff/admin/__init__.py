"""The publication and the audit log in the admin."""

from staff.admin import publication

__all__ = ["publication"]
