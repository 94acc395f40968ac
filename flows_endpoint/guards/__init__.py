"""Who may call, how much, how often, and never the same thing twice."""
