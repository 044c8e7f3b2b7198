"""Real clients that the tests run."""
