"""What people see: the admin site, its roles and second factor, and the hand-over page."""
