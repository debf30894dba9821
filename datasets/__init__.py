"""Data sets behind one small interface: events or frames, and a label."""
