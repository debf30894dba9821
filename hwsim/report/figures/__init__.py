"""Figures, one idea per file. Each gives inline SVG; importing them needs matplotlib only to draw."""
