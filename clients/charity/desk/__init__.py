"""The charity's desk: one Flask app for one person's browser on the charity's own machine."""
