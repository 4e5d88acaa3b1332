"""The broker's resources, one module each: a view reads, calls one function and answers. No SQL and no crypto here."""
