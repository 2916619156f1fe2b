"""Real storage servers for tests, each started once per run and ended with it."""
