"""The engine: how an approved issue becomes one copy in each reader's mailbox.

The rows are the queue; a task is only a hint to look at them. Stage by stage:

1. `preparing`  an approved issue that is due: its snapshot is verified, `audience.plan` writes one
                `pending` delivery for each reader who may be mailed, and the issue is `sending`, all
                in one transaction.
2. `lanes`      a lane is one task that repeats 3 to 6 for at most a minute, then queues its successor.
                It is one loop: renew the leases, collect results, settle them, claim, record the
                attempts, submit. Copies are on the wire all the while.
3. `claims`     after a grant of `pacing`, the next pending or due deferred rows become `claimed`, with a
                lease and a fence; those of a mail domain at its limit are deferred to their turn.
4. `attempts`   in one transaction: is the issue still being sent, may each reader still be mailed,
                does the copy render (`merge`)? Then `attempting`, COMMITTED before a byte leaves.
                `send_journal` notes the batch outside the database, which may be rolled back one day.
5. `postal.transports`  takes the copies (`submit`) while it is `ready`, and has one outcome for each
                (`results`), classified by phase. It calls nothing of ours, and obeys the lease.
6. `outcomes`   the results are settled: accepted, deferred, rejected, uncertain. `breaker` pauses
                the issue when the refusals are about us or too many.
7. `sweeper`    every minute: leases that ran out are recovered (claimed -> pending, attempting ->
                uncertain), what is too old expires, lanes that went missing are queued again.
8. `closing`    nothing open: the outcomes are stored (`digests.issue_outcomes`), their sum is compared
                with the audience, the issue is `sent` or `sent_with_exceptions`.
9. `history`    an hour later its copies move to the partition of their month, where the engine does
                not look; after RETENTION_DAYS the month is dropped.

At most COPIES_IN_FLIGHT copies are between 4 and 6 in one lane (`in_flight`). A lane that is killed there
leaves at most that many rows, which become `uncertain`, are listed, and are never sent again automatically.
"""
