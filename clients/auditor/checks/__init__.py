"""What must hold among verified leaves and beside them: one module a subject, each gives findings in sentences."""
