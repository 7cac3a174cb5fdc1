"""Feedback about copies that have left: provider webhooks, bounces, complaints, unsubscribes by mail.

webhooks           /webhooks/<provider>/: verifies the reports of providers
payload_times      keeps reports whose time cannot be parsed
signatures         replay protection: the maximum age of a signature
mailbox            reads returned mail over IMAP
lmtp               receives returned mail from our mail server
ingestion          turns a returned mail into an event or an unsubscribe
unsubscribe_mail   a reader's request to unsubscribe, sent as a mail
events             stores each event once
processing         processes stored events; the rows are the queue
correlation        finds the copy or letter that an event is about
handlers           the effect of each kind of event on the copy and its reader
soft_bounces       when repeated soft bounces suppress an address
"""
