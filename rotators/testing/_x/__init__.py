"""What the fake X server holds and how it behaves; `rotators.testing.twitter` shows it."""
