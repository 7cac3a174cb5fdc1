"""Delivery status notifications: what a mail that came back reports, in whatever form it was written.

notices    a mail -> what it reports about a copy, or that it reports nothing
reports    notifications for machines (RFC 3464, RFC 6533)
prose      notifications for people
mime       mails of strangers, taken apart
"""
