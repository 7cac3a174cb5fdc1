"""Real servers on loopback ports that fail where they are told to."""
