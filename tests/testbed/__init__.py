"""What tests share: cases, oracles, independent implementations, planted faults."""
