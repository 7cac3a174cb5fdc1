"""The publication, the audit log and the team in the admin."""

from staff.admin import audit_log, invitations, people, publication

__all__ = ["audit_log", "invitations", "people", "publication"]
