"""How mail leaves and what servers answer: no models, no requests, no settings of an app.

replies    one answer of an SMTP server: its codes, its words without addresses, its name for a copy
"""
