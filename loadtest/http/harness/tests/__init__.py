"""Unit tests of the harness."""
