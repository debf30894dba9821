"""From an integer network to cores: retime, partition, place. What does not fit says why."""
