"""What every client does for the broker's log at each contact: witness it, compare views with others, prove leaves."""
