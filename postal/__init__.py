"""How mail leaves and what servers answer: no models, no requests, no settings of an app.

replies    one answer of an SMTP server: its codes, its words without addresses, its name for a copy
verdicts   whose fault a refusal is: one rule for our own wire, letters, returned mail and webhooks
phrases    the words that the rule knows, as literal tables
"""
