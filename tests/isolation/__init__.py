"""Who reaches which rows of the database, proven of every table, role and policy that there is."""
