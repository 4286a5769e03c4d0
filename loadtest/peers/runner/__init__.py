"""Runs Footfall and its peers on the same events, in turns."""
