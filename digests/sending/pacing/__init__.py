"""How fast copies leave, and when one that was put off is tried again.

1. `rate_limits`      what a lane asks before it claims: a grant of a number of copies, and of a relay.
                      Nothing waits in a row: no grant, no claim.
2. `postal.limiter`   limits in Redis (GCRA), shared by every worker of every host.
3. `postal.slowdown`  which refusals say "too fast", and to whom; `postal.throttle` is the lower rate that follows.
4. `domains`          rows of a limited mail domain are put off to their turn; the others go on.
5. `warmup`           a new sender's daily allowance, counted from the rows.
6. `windows`          the hours of the day in which issues leave, and when one is too old to leave at all.
7. `postal.backoff`   when a deferred copy is tried again.

Redis only remembers; the rows decide. Without it each process keeps to its own small share.
"""
