"""What workers return: records, the reasons why candidates go, and their JSON."""
