"""The mailbox in which returned mail waits, by the protocol that it speaks."""
