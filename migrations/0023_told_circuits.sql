-- How things outside do, as those processes know it that answer no requests: kept here, those that do can tell of it (docs/circuits.md).
-- Nothing of a tenant is in it: its names are the program's. What a row says is believed until a moment that its teller sets.
create table booking.told_circuit (
    process      text         not null,                        -- the kind of process that tells
    teller       uuid         not null,                        -- which one of them; all that end after one call are one
    circuit      text         not null,
    state        text         not null,                        -- of several with one name, the worst
    left_alone   int          not null,                        -- how many of these are not closed
    told_at      timestamptz  not null default clock_timestamp(),
    holds_until  timestamptz  not null,
    constraint told_circuit_pk primary key (process, teller, circuit),
    constraint told_circuit_process_known check (process in ('projector', 'export')),
    constraint told_circuit_name_short check (length(circuit) between 1 and 100),
    constraint told_circuit_state_known check (state in ('closed', 'half-open', 'open')),
    constraint told_circuit_left_alone_as_state check (left_alone >= 0 and (left_alone = 0) = (state = 'closed'))
) with (fillfactor = 50);

alter table booking.told_circuit enable row level security;

create policy projector_all on booking.told_circuit to booking_projector using (true) with check (true);
create policy background_all on booking.told_circuit to booking_background using (true) with check (true);

grant select, insert, update, delete on booking.told_circuit to booking_projector;
grant select, insert, update on booking.told_circuit to booking_background;
