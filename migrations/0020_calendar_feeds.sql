-- A key of a calendar feed: it stands in the address that a calendar program is given, since such programs can send no header. It opens
-- the feed of one resource, or of the whole tenant, and nothing else.

alter table booking.api_key
    add column resource_id uuid,
    drop constraint api_key_role_known,
    add constraint api_key_role_known check (role in ('admin', 'booker', 'viewer', 'auditor', 'feed')),
    add constraint api_key_resource_of_feed check (resource_id is null or role = 'feed');
