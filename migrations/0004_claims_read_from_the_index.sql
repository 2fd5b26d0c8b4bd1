-- Readers get a resource's claims from the index alone. In the table they lie in the order in which they were made, a page each:
-- a resource booked daily cost a quarter's calendar more than a hundred pages, of which a dozen are the index's.
--
-- The price: the index is twice as large, and confirming a hold that does not expire now writes to it (one that does expire had
-- its index entry to lose already).
create index reservation_by_start_with_all on booking.reservation (tenant_id, resource_id, start_time)
    include (end_time, booking_id, status, hold_expires_at);
drop index booking.reservation_by_start;
alter index booking.reservation_by_start_with_all rename to reservation_by_start;

-- An index answers alone only for pages that VACUUM has seen since they were written. By default it comes when a fifth of the
-- table is new: years of a studio's bookings.
alter table booking.reservation set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);
