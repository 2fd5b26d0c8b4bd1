"""PostgreSQL as this project uses it: the private server, migrations, connection pools."""
