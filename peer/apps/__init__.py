"""What people do with a connection."""
