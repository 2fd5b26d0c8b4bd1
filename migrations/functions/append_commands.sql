-- Revision 6.
--
-- The one door to the log. append_batch takes many tenants' waiting commands in one round trip and one commit; append_commands
-- decides one tenant's commands, one after the other, under the lock of its head row. The pieces below are called by it alone.
--
-- Whoever changes this file gives it the next revision: that is how a database learns of it. Every statement may be run again.
-- Processes of the revision before go on calling append_batch and append_commands: these keep their parameters and results, or get
-- a new function beside them, until a later revision drops the old one. A call under way goes on in its old text and calls the
-- pieces' new one. Of a piece, "create or replace" changes neither the result nor the parameters' names, and makes a second function
-- where the parameters' types change: drop the old one first (drop function if exists). A call in need of it just then fails whole.


-- One link of a tenant's hash chain: sha256(previous ‖ tenant ‖ seq ‖ stream ‖ version ‖ recorded_at in µs since 1970
-- ‖ sha256(topic) ‖ sha256(state) ‖ sha256(metadata)); integers big-endian, UUIDs as 16 bytes.
-- Stable, as convert_to is: called immutable, it could not be inlined, and would start an executor for each event.
create or replace function booking.link_hash(
    previous bytea, tenant_id uuid, seq bigint, stream_id uuid, version int, recorded_us bigint,
    topic text, state text, metadata text
) returns bytea
language sql stable parallel safe
return sha256(
    previous || uuid_send(tenant_id) || int8send(seq) || uuid_send(stream_id) || int4send(version) || int8send(recorded_us)
    || sha256(convert_to(topic, 'UTF8')) || sha256(convert_to(state, 'UTF8')) || sha256(convert_to(metadata, 'UTF8'))
);


-- Who stands in the way of these claims once p_vacate is out: other bookings, resources that cannot be claimed, or the claims
-- one another; the first 101 of them as [{problem, claimant, resource_id, booking_id, start_time, end_time, status}]. lapsed are
-- the holds past their expiry: in the way only of a command that itself does something to that hold, since one version cannot be
-- both that and its lapse.
-- At most one live claim of a resource can straddle the start of a period, the last one to begin before it; so plain comparisons
-- on the btree find all, which && under row-level security cannot. How far back to look is settled before the look: a bound that
-- is a look of its own would be a filter over all claims of the resource.
drop function if exists booking.in_the_way(uuid, jsonb, uuid[], jsonb, timestamptz);     -- it returned a table once
create or replace function booking.in_the_way(
    p_tenant uuid, p_claims jsonb, p_vacate uuid[], p_expect jsonb, p_now timestamptz, out blockers jsonb, out lapsed uuid[]
)
language plpgsql stable security invoker as $$
#variable_conflict use_column
begin
    with claim as materialized (
        select wanted.*,
               (select resource.retired from booking.resource
                 where resource.tenant_id = p_tenant and resource.resource_id = wanted.resource_id) as retired,
               coalesce(
                   (select earlier.start_time from booking.reservation earlier
                     where earlier.tenant_id = p_tenant and earlier.resource_id = wanted.resource_id
                       and earlier.start_time <= wanted.start_time
                     order by earlier.start_time desc limit 1),
                   wanted.start_time) as since
          from jsonb_to_recordset(p_claims) as wanted (
                   resource_id uuid, booking_id uuid, start_time timestamptz, end_time timestamptz)
    ),
    way as (
        select case when claim.retired then 'resource-retired' else 'unknown-resource' end as problem, claim.booking_id as claimant,
               claim.resource_id, null::uuid as booking_id, null::timestamptz as start_time, null::timestamptz as end_time,
               null::text as status
          from claim
         where claim.retired is not false
        union all
        select case when taken.status = 'held' and taken.hold_expires_at <= p_now and not p_expect ? taken.booking_id::text
                    then 'hold-lapsed' else 'taken' end,
               claim.booking_id, claim.resource_id, taken.booking_id, taken.start_time, taken.end_time, taken.status
          from claim
         cross join lateral (
                   select * from booking.reservation
                    where reservation.tenant_id = p_tenant and reservation.resource_id = claim.resource_id
                      and reservation.start_time >= claim.since and reservation.start_time < claim.end_time
                    order by reservation.start_time     -- as the btree has them: the only index that bounds both ends
               ) taken
         where taken.end_time > claim.start_time
           and not taken.booking_id = any (p_vacate)
    )
    select jsonb_agg(jsonb_build_object(
                   'problem', problem, 'claimant', claimant, 'resource_id', resource_id,
                   'booking_id', booking_id, 'start_time', start_time, 'end_time', end_time, 'status', status)
               order by resource_id, start_time, booking_id) filter (where problem <> 'hold-lapsed' and nth <= 101),
           array_agg(distinct booking_id) filter (where problem = 'hold-lapsed')
      into blockers, lapsed
      from (select way.*, count(*) filter (where problem <> 'hold-lapsed') over (rows unbounded preceding) as nth from way) way;

    if jsonb_array_length(p_claims) > 1 then
        blockers := nullif(coalesce(blockers, '[]') || coalesce(booking.in_each_others_way(p_claims), '[]'), '[]');
    end if;
end $$;


-- Who of these claims collide with one another: in the order of their starts, one that begins before all earlier ones have ended.
-- That finds them without comparing each with each; only for those is one looked for with whom. The later request yields.
create or replace function booking.in_each_others_way(p_claims jsonb) returns jsonb
language sql immutable
begin atomic
    with claim as materialized (
        select ordinality as nth, wanted.*
          from rows from (
                   jsonb_to_recordset(p_claims) as (resource_id uuid, booking_id uuid, start_time timestamptz, end_time timestamptz)
               ) with ordinality as wanted (resource_id, booking_id, start_time, end_time)
    )
    select jsonb_agg(jsonb_build_object(
               'problem', 'same-request', 'claimant', later.booking_id, 'resource_id', later.resource_id,
               'booking_id', first.booking_id, 'start_time', first.start_time, 'end_time', first.end_time, 'status', 'same-request'))
      from (select claim.*,
                   max(claim.end_time) over (
                       partition by claim.resource_id order by claim.start_time, claim.nth
                       rows between unbounded preceding and 1 preceding) as taken_until
              from claim) colliding
     cross join lateral (
               select sibling.*
                 from claim sibling
                where sibling.resource_id = colliding.resource_id
                  and sibling.nth <> colliding.nth
                  and sibling.start_time < colliding.end_time
                  and colliding.start_time < sibling.end_time
                limit 1
           ) other
     cross join lateral (select * from claim where claim.nth = least(colliding.nth, other.nth)) first
     cross join lateral (select * from claim where claim.nth = greatest(colliding.nth, other.nth)) later
     where colliding.taken_until > colliding.start_time;
end;


-- Claims whatever the constraint lets through; the count tells whether that was all.
create or replace function booking.insert_claims(p_tenant uuid, p_claims jsonb) returns int
language plpgsql volatile security invoker as $$
declare
    won int;
begin
    insert into booking.reservation (tenant_id, resource_id, booking_id, start_time, end_time, status, hold_expires_at)
    select p_tenant, claim.resource_id, claim.booking_id, claim.start_time, claim.end_time, claim.status, claim.hold_expires_at
      from jsonb_to_recordset(p_claims) as claim (
               resource_id uuid, booking_id uuid, start_time timestamptz, end_time timestamptz, status text, hold_expires_at timestamptz
           )
     where not (select resource.retired from booking.resource
                 where resource.tenant_id = p_tenant and resource.resource_id = claim.resource_id)
        on conflict on constraint no_double_booking do nothing;
    get diagnostics won = row_count;
    return won;
end $$;


-- The ceilings on open holds that a command would pass: [{problem, claimant, of, ceiling}], of the tenant or of a customer, or null.
-- p_holds and p_ceilings are the command's; what is said of the tenant counts before p_ceilings, and 0 is no ceiling. A hold past
-- its expiry is as good as gone, but still among p_open, the tenant's rows: only where these would be too many are they counted.
create or replace function booking.above_ceiling(
    p_tenant uuid, p_open int, p_holds jsonb, p_ceilings jsonb, p_now timestamptz
) returns jsonb
language plpgsql stable security invoker as $$
#variable_conflict use_column
declare
    of_tenant    int := p_ceilings ->> 'tenant';
    of_customer  int := p_ceilings ->> 'customer';
    own          record;
    closed       uuid[] := array(select jsonb_array_elements_text(p_holds -> 'closed')::uuid);
    passed       jsonb;
begin
    select hold_ceiling, customer_hold_ceiling into own from booking.tenant_limit where tenant_id = p_tenant;
    of_tenant := coalesce(own.hold_ceiling, of_tenant);
    of_customer := coalesce(own.customer_hold_ceiling, of_customer);

    if of_tenant > 0 and p_open + jsonb_array_length(p_holds -> 'opened') > of_tenant and p_holds @? '$.opened[0]' then
        select jsonb_build_array(jsonb_build_object(
                   'problem', 'too-many-holds', 'claimant', p_holds -> 'opened' -> -1 -> 'booking_id', 'of', 'tenant',
                   'ceiling', of_tenant))
          into passed
          from (select
                  from booking.open_hold standing
                 where standing.tenant_id = p_tenant
                   and (standing.hold_expires_at is null or standing.hold_expires_at > p_now)
                   and not standing.booking_id = any (closed)
                 limit of_tenant) standing
        having count(*) + jsonb_array_length(p_holds -> 'opened') > of_tenant;
    end if;

    if passed is null and of_customer > 0 then
        with coming as (
            select given.booking_id, given.customer_key_id, given.nth
              from rows from (jsonb_to_recordset(p_holds -> 'opened') as (booking_id uuid, customer_key_id uuid))
                   with ordinality as given (booking_id, customer_key_id, nth)
            union all
            select given.booking_id, given.customer_key_id, given.nth
              from rows from (jsonb_to_recordset(p_holds -> 'reassigned') as (booking_id uuid, customer_key_id uuid))
                   with ordinality as given (booking_id, customer_key_id, nth)
              join booking.open_hold standing
                on standing.tenant_id = p_tenant and standing.booking_id = given.booking_id
             where standing.customer_key_id is distinct from given.customer_key_id
        )
        select jsonb_agg(jsonb_build_object(
                   'problem', 'too-many-holds', 'claimant', more.claimant, 'of', 'customer', 'ceiling', of_customer))
          into passed
          from (select coming.customer_key_id, count(*) as holds,
                       (array_agg(coming.booking_id order by coming.nth desc))[1] as claimant
                  from coming
                 where coming.customer_key_id is not null
                 group by coming.customer_key_id) more
         cross join lateral (
                   select count(*) as holds
                     from (select
                             from booking.open_hold standing
                            where standing.tenant_id = p_tenant and standing.customer_key_id = more.customer_key_id
                              and (standing.hold_expires_at is null or standing.hold_expires_at > p_now)
                              and not standing.booking_id = any (closed)
                            limit of_customer) standing
               ) standing
         where standing.holds + more.holds > of_customer;
    end if;
    return passed;
end $$;


-- The projection of open holds, as the events just appended leave it; p_lapsed are the holds that gave way. How many rows came.
create or replace function booking.put_holds(p_tenant uuid, p_holds jsonb, p_lapsed uuid[]) returns int
language plpgsql volatile security invoker as $$
declare
    closed uuid[] := array(select jsonb_array_elements_text(p_holds -> 'closed')::uuid) || p_lapsed;
    came   int := 0;
    gone   int := 0;
begin
    if closed <> '{}' then
        delete from booking.open_hold where tenant_id = p_tenant and booking_id = any (closed);
        get diagnostics gone = row_count;
    end if;
    if p_holds @? '$.opened[0]' then
        insert into booking.open_hold (tenant_id, booking_id, customer_key_id, hold_expires_at)
        select p_tenant, opened.booking_id, opened.customer_key_id, opened.hold_expires_at
          from jsonb_to_recordset(p_holds -> 'opened') as opened (
                   booking_id uuid, customer_key_id uuid, hold_expires_at timestamptz);
        get diagnostics came = row_count;
    end if;
    if p_holds @? '$.reassigned[0]' then
        update booking.open_hold standing
           set customer_key_id = given.customer_key_id
          from jsonb_to_recordset(p_holds -> 'reassigned') as given (booking_id uuid, customer_key_id uuid)
         where standing.tenant_id = p_tenant and standing.booking_id = given.booking_id;
    end if;
    return came - gone;
end $$;


-- The one claim of a command that vacates nothing, which is what most commands ask for. Live claims of a resource never overlap:
-- of those that begin before it ends, the last to begin is the last to end. Where that one is over when it begins, it is free, and
-- made. Where that one covers its start, no other is in its way, and blockers names that one, as in_the_way does. Whatever takes
-- more than this look is not settled: several in the way, a hold past its expiry, a resource that cannot be claimed.
create or replace function booking.take_one_claim(
    p_tenant uuid, p_claim jsonb, p_now timestamptz, out settled boolean, out blockers jsonb
)
language plpgsql volatile security invoker as $$
declare
    claim    booking.reservation := jsonb_populate_record(null::booking.reservation, p_claim);
    latest   booking.reservation;
    retired  boolean := (
        select resource.retired from booking.resource
         where resource.tenant_id = p_tenant and resource.resource_id = claim.resource_id);
begin
    if retired is distinct from false then
        settled := false;
        return;
    end if;
    select reservation.* into latest
      from booking.reservation
     where reservation.tenant_id = p_tenant and reservation.resource_id = claim.resource_id
       and reservation.start_time < claim.end_time
     order by reservation.start_time desc
     limit 1;
    settled := true;
    if latest.end_time > claim.start_time then
        settled := latest.start_time <= claim.start_time and coalesce(latest.hold_expires_at > p_now, true);
        if settled then
            blockers := jsonb_build_array(jsonb_build_object(
                'problem', 'taken', 'claimant', claim.booking_id, 'resource_id', claim.resource_id,
                'booking_id', latest.booking_id, 'start_time', latest.start_time, 'end_time', latest.end_time, 'status', latest.status));
        end if;
    else
        insert into booking.reservation (tenant_id, resource_id, booking_id, start_time, end_time, status, hold_expires_at)
        values (p_tenant, claim.resource_id, claim.booking_id, claim.start_time, claim.end_time, claim.status, claim.hold_expires_at);
    end if;
end $$;


-- All the claims of one command, or none. Who stood in the way comes back in blockers; holds past their expiry do not stand,
-- they give way: their claims are gone on return, and lapsed names them so that the caller records it.
create or replace function booking.take_claims(
    p_tenant uuid, p_claims jsonb, p_vacate uuid[], p_expect jsonb, p_now timestamptz, out blockers jsonb, out lapsed uuid[]
)
language plpgsql volatile security invoker as $$
declare
    wanted int := jsonb_array_length(p_claims);
    won    int;
    gone   uuid[];      -- a plain parameter: an expression in its place would be a filter over the whole tenant
    alone  record;
begin
    if p_vacate is null and wanted = 1 then
        alone := booking.take_one_claim(p_tenant, p_claims -> 0, p_now);
        if alone.settled then
            blockers := alone.blockers;
            return;
        end if;
    elsif p_vacate is null then     -- nothing to put back should it fail: try first, look only then
        won := booking.insert_claims(p_tenant, p_claims);
        if won = wanted then
            return;
        end if;
        if won > 0 then
            gone := array(select (claim ->> 'booking_id')::uuid from jsonb_array_elements(p_claims) claim);
            delete from booking.reservation where tenant_id = p_tenant and booking_id = any (gone);
        end if;
    end if;

    select way.blockers, way.lapsed into blockers, lapsed
      from booking.in_the_way(p_tenant, p_claims, coalesce(p_vacate, '{}'), p_expect, p_now) way;
    if blockers is not null then
        lapsed := null;
        return;
    end if;

    gone := coalesce(p_vacate, '{}') || coalesce(lapsed, '{}');
    delete from booking.reservation where tenant_id = p_tenant and booking_id = any (gone);
    if booking.insert_claims(p_tenant, p_claims) < wanted then
        raise exception 'reservations changed outside append_commands';
    end if;
end $$;


-- Whether one of these customers has another key than the one given: made by somebody else first, so that what was sealed with the
-- given one must not stand. (offset 0: decode is not leakproof, and beside the column it would keep row-level security from the index.)
create or replace function booking.has_another_key(p_tenant uuid, p_keys jsonb) returns boolean
language plpgsql stable security invoker as $$
begin
    return exists (
        select
          from (select given.key_id, decode(given.customer_digest, 'hex') as customer_digest
                  from jsonb_to_recordset(p_keys) as given (key_id uuid, customer_digest text)
                offset 0) wanted
         cross join lateral (
                   select kept.key_id from booking.customer_key kept
                    where kept.tenant_id = p_tenant and kept.customer_digest = wanted.customer_digest
               ) kept
         where kept.key_id <> wanted.key_id);
end $$;


-- The keys of customers that the events just appended are sealed with; those that are kept already stay as they are.
-- A process of the revision before keeps a key before the command, and without the lock: it may do so even now.
create or replace function booking.put_customer_keys(p_tenant uuid, p_keys jsonb) returns void
language plpgsql volatile security invoker as $$
begin
    insert into booking.customer_key (tenant_id, key_id, customer_digest, master_key_id, wrapped_key)
    select p_tenant, given.key_id, decode(given.customer_digest, 'hex'), decode(given.master_key_id, 'hex'),
           decode(given.wrapped_key, 'hex')
      from jsonb_to_recordset(p_keys) as given (key_id uuid, customer_digest text, master_key_id text, wrapped_key text)
        on conflict do nothing;
    if booking.has_another_key(p_tenant, p_keys) then
        raise exception 'a key was made outside append_commands' using errcode = 'serialization_failure';
    end if;
end $$;


-- One tenant's waiting commands, decided in their order. A command:
--   keys         its idempotency keys (several for an atomic group), with the request's fingerprint
--   expect       {stream: version it was decided on}
--   deadline     from this moment on it must be decided again
--   series       the call that it came in with others, whose order counts: after one that must be decided again, so must they
--   refusal      what the domain refused already: recorded under the keys, unless unkept
--   vacate       bookings whose claims go;  claims: those that come;  confirm: bookings whose claims become confirmed
--   holds        {closed: bookings that are open holds no more, opened: [{booking_id, customer_key_id, hold_expires_at}],
--                reassigned: [{booking_id, customer_key_id}]}, with ceilings {tenant, customer} where nothing else is said of the tenant
--   customer_keys  keys of customers that its events are sealed with, and that may not be kept yet:
--                [{key_id, customer_digest, master_key_id, wrapped_key}], bytes as hexadecimal digits
--   forget       the keys of customers, which are destroyed with what finds them again
--   resources    rows of the resource projection as they shall be, each with its last event, counted back from the command's last
--   events       [{stream, version, topic, state, metadata}]
--   facts        kept in the receipt, whatever the verdict, for whoever renders the answer again
-- p_lapse is the event {topic, state} recorded for a hold that gives way; its metadata are those of the command's first event.
--
-- A verdict: accepted, refused, conflict (info: who stood in the way), replayed and key_reused (info: the first outcome and its key),
-- stale (info: the versions there are) or late; the last two leave no receipt, the caller decides again.
--
-- The settings leave the planner no choice that missing or stale statistics could spoil. A missing head row raises.
-- What is done for each command or event is an expression where it can be: PL/pgSQL starts no executor for an assignment.
create or replace function booking.append_commands(p_tenant uuid, p_commands jsonb, p_lapse jsonb)
returns table (ix int, verdict text, first_seq bigint, last_seq bigint, decided_at timestamptz, info jsonb)
language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_sort = off
as $$
#variable_conflict use_column
declare
    head           booking.tenant_head;
    now_us         bigint;
    seen           jsonb := '{}';       -- receipts by key: those found, and those of keys that come twice in this call
    twice          text[];              -- the keys that do
    versions       jsonb := '{}';       -- of the streams that the commands expect something of
    shared         uuid[];              -- of these, the streams that more than one command does
    command        record;
    taken          record;
    receipt        jsonb;
    key            text;
    new_events     jsonb;
    event          jsonb;
    blockers       jsonb;
    lapsed         uuid[];
    speaks_for     text;
    broken         text[] := '{}';      -- series with a command that must be decided again
    appended       booking.event[] := '{}';
    receipts       booking.receipt[] := '{}';
begin
    -- The mutex. From here on nobody else changes anything of this tenant.
    speaks_for := set_config('app.tenant_id', p_tenant::text, true);
    select * into strict head from booking.tenant_head where tenant_id = p_tenant for update;
    head.recorded_at := greatest(head.recorded_at, clock_timestamp());
    decided_at := head.recorded_at;
    now_us := (extract(epoch from decided_at) * 1000000)::bigint;

    -- What the whole call needs to know, read at once by scalar look-ups on full keys.
    if p_commands @? '$[*].keys' then
        select coalesce(jsonb_object_agg(asked.key, asked.found) filter (where asked.found is not null), '{}'),
               array_agg(asked.key) filter (where asked.times > 1)
          into seen, twice
          from (select wanted.key, count(*) as times,
                       (select kept.outcome || jsonb_build_object('fingerprint', kept.fingerprint)
                          from booking.receipt kept
                         where kept.tenant_id = p_tenant and kept.key = wanted.key
                           and kept.recorded_at > decided_at - interval '24 hours') as found
                  from jsonb_array_elements(p_commands) item,
                       jsonb_array_elements_text(item -> 'keys') wanted (key)
                 group by wanted.key) asked;
    end if;
    -- A cast from text is not leakproof: beside the column it would keep row-level security from the index (offset 0 parts them).
    select coalesce(jsonb_object_agg(wanted.stream,
               coalesce((select latest.version from booking.event latest
                          where latest.tenant_id = p_tenant and latest.stream_id = wanted.stream
                          order by latest.version desc limit 1), 0)), '{}'),
           array_agg(wanted.stream) filter (where wanted.times > 1)
      into versions, shared
      from (select expected.stream::uuid as stream, count(*) as times
              from jsonb_array_elements(p_commands) item, jsonb_object_keys(item -> 'expect') expected (stream)
             group by expected.stream
            offset 0) wanted;

    ix := -1;
    for command in
        select * from jsonb_to_recordset(p_commands) as (
            keys text[], fingerprint text, expect jsonb, deadline timestamptz, series text, refusal jsonb, unkept boolean,
            vacate uuid[], claims jsonb, confirm uuid[], holds jsonb, ceilings jsonb, customer_keys jsonb, forget uuid[],
            resources jsonb, events jsonb, facts jsonb)
    loop
        ix := ix + 1;
        first_seq := null; last_seq := null; blockers := null; lapsed := null; receipt := null;

        -- 1. The receipt comes first: whoever asks again gets the first answer, whatever has happened since.
        foreach key in array coalesce(command.keys, '{}') loop
            receipt := seen -> key;
            exit when receipt is not null;
        end loop;
        if receipt is not null then
            verdict := case when receipt ->> 'fingerprint' = command.fingerprint then 'replayed' else 'key_reused' end;
            info := receipt || jsonb_build_object('key', key);
            return next; continue;
        end if;

        -- 2. Decided on something that has changed, too late, or ahead of one that it came after: the caller decides again.
        verdict := case when not versions @> coalesce(command.expect, '{}') or command.series = any (broken) then 'stale'
                        when command.customer_keys is not null and booking.has_another_key(p_tenant, command.customer_keys)
                        then 'stale'
                        when command.deadline <= decided_at then 'late' end;
        if verdict is not null then
            broken := broken || command.series; info := versions; return next; continue;
        end if;

        -- 3. Refused by the domain, by a ceiling, or decided by the claims.
        if command.refusal is not null then
            verdict := 'refused'; info := command.refusal;
        else
            if command.holds is not null then
                head.open_holds := coalesce(
                    head.open_holds, (select count(*) from booking.open_hold where tenant_id = p_tenant));
                blockers := booking.above_ceiling(
                    p_tenant, head.open_holds, command.holds, command.ceilings, decided_at);
            end if;
            if blockers is not null then
                null;   -- nothing is touched
            elsif command.claims is not null then
                taken := booking.take_claims(p_tenant, command.claims, command.vacate, command.expect, decided_at);
                blockers := taken.blockers; lapsed := taken.lapsed;
            elsif command.vacate is not null then
                delete from booking.reservation where tenant_id = p_tenant and booking_id = any (command.vacate);
            end if;
            verdict := case when blockers is null then 'accepted' else 'conflict' end;
            info := blockers;
        end if;

        -- 4. Accepted: its events, after those of the holds that gave way.
        if verdict = 'accepted' then
            if command.confirm is not null then
                update booking.reservation set status = 'confirmed', hold_expires_at = null
                 where tenant_id = p_tenant and booking_id = any (command.confirm);
            end if;
            if command.holds is not null or lapsed is not null then
                head.open_holds := head.open_holds + booking.put_holds(p_tenant, command.holds, lapsed);
            end if;
            if command.customer_keys is not null then
                perform booking.put_customer_keys(p_tenant, command.customer_keys);
            end if;
            if command.forget is not null then
                delete from booking.customer_key where tenant_id = p_tenant and key_id = any (command.forget);
            end if;
            new_events := coalesce(command.events, '[]');
            if lapsed is not null then
                new_events := (
                    select jsonb_agg(p_lapse || jsonb_build_object(
                               'stream', hold, 'metadata', command.events -> 0 -> 'metadata',
                               'version', 1 + coalesce(
                                   (select max(own.version) from unnest(appended) own where own.stream_id = hold),
                                   (select latest.version from booking.event latest
                                     where latest.tenant_id = p_tenant and latest.stream_id = hold
                                     order by latest.version desc limit 1))))
                      from unnest(lapsed) hold) || new_events;
            end if;
            first_seq := head.seq + 1;
            for place in 0 .. jsonb_array_length(new_events) - 1 loop
                event := new_events -> place;
                head.seq := head.seq + 1;
                head.hash := booking.link_hash(
                    head.hash, p_tenant, head.seq, (event ->> 'stream')::uuid, (event ->> 'version')::int, now_us,
                    event ->> 'topic', event ->> 'state', event ->> 'metadata');
                appended := appended || row(
                    p_tenant, head.seq, event ->> 'stream', event ->> 'version', event ->> 'topic', event ->> 'state',
                    event ->> 'metadata', decided_at, head.hash)::booking.event;
                -- Only where a later command looks: rewriting it for each event would cost more with each.
                if (event ->> 'stream')::uuid = any (shared) or lapsed is not null and versions ? (event ->> 'stream') then
                    versions := versions || jsonb_build_object(event ->> 'stream', event -> 'version');
                end if;
            end loop;
            last_seq := head.seq;
            if command.resources is not null then
                perform booking.put_resources(p_tenant, command.resources, last_seq, decided_at);
            end if;
        end if;

        -- 5. Its receipt. A resource unknown today may be registered tomorrow: that refusal is the form's, and not kept.
        if command.keys is not null and command.unkept is not true
           and not coalesce(blockers @? '$[*] ? (@.problem == "unknown-resource")', false) then
            receipt := jsonb_build_object(
                'verdict', verdict, 'first_seq', first_seq, 'last_seq', last_seq, 'decided_at', decided_at, 'info', info,
                'facts', command.facts);
            foreach key in array command.keys loop
                receipts := receipts || row(p_tenant, key, command.fingerprint, receipt, decided_at)::booking.receipt;
                if key = any (twice) then
                    seen := seen || jsonb_build_object(key, receipt || jsonb_build_object('fingerprint', command.fingerprint));
                end if;
            end loop;
        end if;
        return next;
    end loop;

    -- All that was decided, written at once.
    if appended <> '{}' then
        insert into booking.event select * from unnest(appended);
        update booking.tenant_head
           set seq = head.seq, hash = head.hash, recorded_at = head.recorded_at, open_holds = head.open_holds
         where tenant_id = p_tenant;
    end if;
    if receipts <> '{}' then
        insert into booking.receipt as kept select * from unnest(receipts)
            on conflict on constraint receipt_pk do update          -- only ever one that has expired
           set fingerprint = excluded.fingerprint, outcome = excluded.outcome, recorded_at = excluded.recorded_at;
    end if;
end $$;


-- The resource projection, as the events just appended leave it.
create or replace function booking.put_resources(p_tenant uuid, p_resources jsonb, p_position bigint, p_at timestamptz) returns void
language plpgsql volatile security invoker as $$
begin
    insert into booking.resource as kept (
        tenant_id, resource_id, name, kind, timezone, attributes, retired, version, position, created_at, updated_at)
    select p_tenant, given.resource_id, given.name, given.kind, given.timezone, given.attributes, given.retired, given.version,
           p_position + coalesce(given.event, 0), p_at, p_at
      from jsonb_to_recordset(p_resources) as given (
               resource_id uuid, name text, kind text, timezone text, attributes jsonb, retired boolean, version int, event int)
        on conflict on constraint resource_pk do update
       set name = excluded.name, kind = excluded.kind, timezone = excluded.timezone, attributes = excluded.attributes,
           retired = excluded.retired, version = excluded.version, position = excluded.position, updated_at = excluded.updated_at;
end $$;


-- Many tenants' commands, {tenant: [command, …]}, in one transaction; in the order of tenants, so that two batches that share some
-- lock their heads in one order and cannot deadlock.
create or replace function booking.append_batch(p_batch jsonb, p_lapse jsonb)
returns table (tenant_id uuid, ix int, verdict text, first_seq bigint, last_seq bigint, decided_at timestamptz, info jsonb)
language plpgsql volatile security invoker as $$
#variable_conflict use_column
declare
    tenant record;
begin
    for tenant in select entry.key::uuid as id, entry.value as commands from jsonb_each(p_batch) entry order by 1 loop
        return query
        select tenant.id, decided.* from booking.append_commands(tenant.id, tenant.commands, p_lapse) decided;
    end loop;
end $$;


revoke execute on all functions in schema booking from public;
grant execute on function booking.current_tenant() to booking_api, booking_background;
grant execute on function
    booking.link_hash, booking.in_the_way, booking.in_each_others_way, booking.insert_claims, booking.take_one_claim, booking.take_claims,
    booking.put_resources,
    booking.above_ceiling, booking.put_holds, booking.has_another_key, booking.put_customer_keys,
    booking.append_commands, booking.append_batch
to booking_api;
