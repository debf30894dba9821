"""What a spiking network does on silicon: exact spikes, counts, joules. Needs no torch."""
