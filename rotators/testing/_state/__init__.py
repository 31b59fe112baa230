"""What the simulated service holds and how it behaves; `rotators.testing.simulator` shows it."""
