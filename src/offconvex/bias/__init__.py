"""Which solution training picks, by start, step, noise, decay and the optimizer's norm."""
