"""What is the same for every storage: functions over `Provider`."""
