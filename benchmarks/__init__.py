"""Side by side with what a user would pick instead; run ``python -m benchmarks.marts --help``."""
