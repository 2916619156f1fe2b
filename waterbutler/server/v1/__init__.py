"""The WaterButler v1 dialect."""
