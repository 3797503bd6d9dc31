"""Networks and tokenizers that come from elsewhere, and small ones for tests: what the systems are built upon."""
