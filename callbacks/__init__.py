"""What goes out: the outbox and its delivery."""
