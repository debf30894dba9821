"""The resistive liquid state machine [Lin2025], whole: see ../resistive-lsm/README.md."""
