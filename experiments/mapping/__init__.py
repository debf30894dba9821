"""Claim: spike-weighted placement against hand maps; see README.md."""
