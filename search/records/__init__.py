"""What a run's files hold, as typed records and their JSON."""
