"""Model families: torch in, torch out, behind one door (`base.Model`)."""
