"""Bookings as they are, whatever their status, for lists and searches."""
