"""Real servers on loopback ports that fail where a test asks for it."""
