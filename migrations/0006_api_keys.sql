-- An API key's life: recognised by its first characters, named, limited in time, replaced by another with an overlap,
-- and seen to be used. The keys made so far have no first characters: only their hash was kept.

alter table booking.api_key
    add column prefix        text,
    add column name          text,
    add column expires_at    timestamptz,
    add column last_used_at  timestamptz,
    add column replaces      uuid,
    add constraint api_key_prefix_short check (length(prefix) between 1 and 11),
    add constraint api_key_name_form check (length(name) between 1 and 100),
    add constraint api_key_hash_form check (length(secret_hash) = 32),
    -- One key is replaced by one: two rotations at once cannot leave two new keys.
    add constraint api_key_replaced_once unique (tenant_id, replaces),
    add constraint api_key_replaces_own foreign key (tenant_id, replaces) references booking.api_key (tenant_id, key_id);

-- Whoever can name a key's hash may write down when it was used, and nothing else: the grant is for that column alone.
create policy api_use_by_secret on booking.api_key for update to booking_api
    using (secret_hash = decode(nullif(current_setting('app.api_key_hash', true), ''), 'hex'));
grant update (last_used_at) on booking.api_key to booking_api;
