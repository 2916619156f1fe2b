"""The Tornado floor: dialects, pages and everything that knows HTTP."""
