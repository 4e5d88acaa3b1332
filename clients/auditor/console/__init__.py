"""The auditor's console: one Flask app for one person's browser on the auditor's own machine."""
