"""SBNet (P1, "SBNet: Segmentation-based Network for Natural Language-based Vehicle Search")."""
