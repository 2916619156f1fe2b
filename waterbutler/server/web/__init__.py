"""The pages: plain HTML that works without scripts."""
