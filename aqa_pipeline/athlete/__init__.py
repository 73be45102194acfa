"""Rules, one a file, that say which of the candidates is the athlete: `select(candidates, ...)`."""
