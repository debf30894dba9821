"""The claim that an annealed map beats hand maps; see README.md."""
