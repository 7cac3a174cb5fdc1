"""Template tags of the team's pages."""
