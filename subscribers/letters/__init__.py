"""A letter is a mail to one person about their own subscription: queued as a row, rendered and sent when due."""
