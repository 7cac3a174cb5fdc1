"""How mail leaves and what servers answer: no models, no requests, no settings of an app.

replies    one answer of an SMTP server: its codes, its words without addresses, its name for a copy
answers    what an answer means for the mail it decided about: its state, and why
providers  all that differs between providers, one record each
verdicts   whose fault a refusal is: one rule for our own wire, letters, returned mail and webhooks
phrases    the words that the rule knows, as literal tables
notifications   what a returned mail reports
imap            fetches returned mail from a mailbox
return_paths    the signed return path of each copy, so that a returned mail names its copy
transports      how copies leave: smtp (pipelined), esp (a provider), local (files)
limiter         rate limits over all workers: GCRA, one script in Redis
shared_state    what workers know together, in Redis or while that is away by themselves
slowdown        who said "too fast", and what that slows down
throttle        the lower rate that follows, and how it recovers
backoff         when a deferred copy is tried again
"""
