"""What concerns many issues at once: outbreaks, and how promises were kept."""
