-- A person can be forgotten: their key, and the digest that finds it again, goes with the event that says so (append_commands).
grant delete on booking.customer_key to booking_api;
