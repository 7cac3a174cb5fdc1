"""What comes back about a copy that has left: reports of providers, bounces, complaints, unsubscribes by mail.

webhooks           /webhooks/<provider>/: verifies what a provider reports
payload_times      the time of a report that cannot be read
signatures         how old a provider's signature may be
mailbox            fetches returned mail over IMAP
lmtp               takes returned mail from a mail server
ingestion          a returned mail becomes the same event as a provider's report, or an unsubscribe
unsubscribe_mail   a reader's own mail that asks to be taken off
events             stores each event once
processing         acts on stored events; the rows are the queue
correlation        which copy or letter an event is about
handlers           what follows from an event for the copy and its reader
soft_bounces       when bounces that were only "not now" have been enough
"""
