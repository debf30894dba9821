"""Ours against named peers: same work, same run, ratios."""
