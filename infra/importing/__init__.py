"""The import of a schedule from CSV: read rows, plan a booking of each, have the engine decide."""
