"""What works without a version: draw the sample, convert, inspect, fetch."""
