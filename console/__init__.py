"""What staff see and how they get in: the admin site, roles, second factor, the dashboard."""
