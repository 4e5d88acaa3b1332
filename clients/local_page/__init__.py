"""What the pages that a party opens in its own browser share: who may use them, how they are served, how they look."""
