"""Learned delays against fixed ones and none, on spoken digits: ../learned-delays/README.md."""
