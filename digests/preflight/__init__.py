"""Preflight: what is looked at before an issue leaves, as one list of findings.

findings.py   the table of checks: code, level, what it is about; one finding of it
content.py    the words: placeholders, merge fields, subject, preheader, pictures without a description
mail.py       the mail as it is sent: size, text part, links, ways to unsubscribe, weight of pictures
links.py      what the worker found out about the links
sender.py     SPF, DKIM and DMARC of the sender, as `postal.sender_domain` finds them
translations.py   what readers of further languages get untranslated
history.py    former issues: the same content, complaints and bounces, the audience
checking.py   runs all of them, stores what they find, and decides what blocks an approval

docs/preflight.md has the table for editors; a test compares the two.
"""
