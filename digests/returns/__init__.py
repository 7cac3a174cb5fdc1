"""What comes back without a provider: bounces, complaints and "please take me off", as mail.

verp       the return path of each copy, signed, so that a notice names the copy it is about
mime       mails of strangers, taken apart
reports    delivery reports for machines (RFC 3464, 6533), as they are really written
prose      notices for people: who wrote them, and what they say
notices    a mail -> what it reports, or that it reports nothing
wishes     a reader's own mail that asks to be taken off
arrivals   a notice -> the same `events` as a provider's webhook, or an unsubscribe
mailbox    fetches the mails, over `imap` or `pop3`
lmtp       takes them from a mail server on the same machine or network
soft       when bounces that were only "not now" have been enough
"""
