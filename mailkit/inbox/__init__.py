"""The mailbox of a laptop in the browser: every mail that the local transport wrote. Only while developing."""
