"""Braille letters, felt: a recurrent network from snnTorch, through NIR, on a chip."""
