"""Latency and throughput suites: one question a file, the physical bound beside each time."""
