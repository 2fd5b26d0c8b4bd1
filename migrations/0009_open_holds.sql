-- Inline projection of the booking events: the holds that are open, and for whom, so that a ceiling on hoarding can be
-- counted under the lock of the tenant's head. A hold past its expiry stays until its lapse is recorded, and does not count.
-- customer_key_id is that of booking.customer_key: an id, and no personal data.
create table booking.open_hold (
    tenant_id        uuid  not null,
    booking_id       uuid  not null,
    customer_key_id  uuid,
    hold_expires_at  timestamptz,
    constraint open_hold_pk primary key (tenant_id, booking_id)
) with (fillfactor = 90);
create index open_hold_by_customer on booking.open_hold (tenant_id, customer_key_id) where customer_key_id is not null;

-- How many rows a tenant has there, so that they are not counted with each hold; null where nobody has counted yet.
alter table booking.tenant_head add column open_holds int;

alter table booking.open_hold enable row level security;
create policy api_own_tenant on booking.open_hold to booking_api using (tenant_id = booking.current_tenant());
create policy projector_all on booking.open_hold to booking_projector using (true) with check (true);
grant select, insert, update, delete on booking.open_hold to booking_api, booking_projector;

-- The holds that stand. Their customer is the one that the last event to name one has sealed.
insert into booking.open_hold (tenant_id, booking_id, customer_key_id, hold_expires_at)
select held.tenant_id, held.booking_id, (named.customer ->> 'key_id')::uuid, held.hold_expires_at
  from (select distinct tenant_id, booking_id, hold_expires_at from booking.reservation where status = 'held') held
  left join lateral (
           select case event.topic when 'booking.amended' then event.state::jsonb -> 'changes' -> 'customer'
                                   else event.state::jsonb -> 'customer' end as customer
             from booking.event
            where event.tenant_id = held.tenant_id and event.stream_id = held.booking_id
              and (event.topic = 'booking.hold_placed'
                   or event.topic = 'booking.amended' and event.state::jsonb -> 'changes' ? 'customer')
            order by event.version desc
            limit 1
       ) named on true;
