"""What somebody with bad intentions would try, a file for each risk of the OWASP API Security Top 10 (2023)."""
