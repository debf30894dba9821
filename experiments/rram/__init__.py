"""The claim that training with noise recovers what resistive cells cost; see README.md."""
