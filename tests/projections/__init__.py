"""Tests of the read models' queries, on real servers, as the role that asks them."""
