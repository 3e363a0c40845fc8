"""Parts of the answers on schedules: their ranking, the fastest, and how each compares."""
