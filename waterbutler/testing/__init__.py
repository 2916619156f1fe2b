"""What authors of providers test with: a conformance suite, a reference provider, faults."""
