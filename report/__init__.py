"""Documents made of results: tables, answers, figures. No torch is imported."""
