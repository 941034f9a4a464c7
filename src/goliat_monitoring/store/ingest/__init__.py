"""What senders say, applied to their runs: messages in, rows out, a whole group of messages in a few statements."""
