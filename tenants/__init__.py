"""Who calls, over which contract, and with which keys."""
