"""One self-contained HTML page that says what runs did, stage by stage."""
