"""Pages that people read: HTML made on the server. What programs read is in `api`, and neither sees the other."""
