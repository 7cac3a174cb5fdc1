"""Block News International, the demonstration publication: its stories, legal texts and drawn pictures."""
