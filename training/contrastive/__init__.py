"""The contrastive dual-stream model (P2, "Contrastive Learning for Natural Language-Based Vehicle Retrieval")."""
