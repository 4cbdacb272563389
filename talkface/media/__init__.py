"""Pictures, sounds and videos: everything that touches files."""
