-- The people that an issuer of tokens tells of, and which tenant each of its organisations is.
--
-- Every row remembers as of when the issuer told it (told_at), by the issuer's clock: what is older never overwrites
-- what is newer, in whatever order it comes. Nothing is deleted: what the issuer removed has to be remembered, so that
-- what was sent before it and comes after it brings nothing back.

-- Which tenant an issuer's organisation is. Both names are the issuer's; the tenant's own slug may differ, and stays.
-- An organisation is one tenant: the one key without the tenant in it, since it is what finds the tenant. No tenant can
-- feel another by it: only booking_directory writes here, and only what the issuer has signed.
create table booking.organisation (
    tenant_id        uuid        not null references booking.tenant,
    issuer           text        not null,
    organisation_id  text        not null,
    slug             text,
    name             text,
    told_at          timestamptz,
    removed_at       timestamptz,
    constraint organisation_pk primary key (tenant_id, issuer),
    constraint organisation_one_tenant unique (issuer, organisation_id),
    constraint organisation_issuer_short check (length(issuer) between 1 and 500),
    constraint organisation_id_short check (length(organisation_id) between 1 and 255),
    constraint organisation_slug_short check (length(slug) between 1 and 255),
    constraint organisation_name_short check (length(name) between 1 and 300)
);

-- What an issuer says of one of its users. It belongs to no tenant, since it may come before the user belongs to one,
-- and since the end of an account ends it for all tenants; so no tenant sees it, and booking_directory alone may.
create table booking.account (
    issuer      text  not null,
    subject     text  not null,
    email       text,
    name        text,
    told_at     timestamptz,
    removed_at  timestamptz,
    constraint account_pk primary key (issuer, subject),
    constraint account_issuer_short check (length(issuer) between 1 and 500),
    constraint account_subject_short check (length(subject) between 1 and 255),
    constraint account_email_short check (length(email) between 1 and 320),
    constraint account_name_short check (length(name) between 1 and 600),
    constraint account_removed_is_erased check (removed_at is null or (email is null and name is null))
);

-- A user as one tenant knows them, in as many rows as they belong to tenants: with the id that events name, the role,
-- and a copy of the account's email and name for as long as they belong to it. No role: one that is not known here.
create table booking.person (
    tenant_id   uuid         not null,
    user_id     uuid         not null,
    issuer      text         not null,
    subject     text         not null,
    email       text,
    name        text,
    role        text,
    since       timestamptz  not null default clock_timestamp(),
    told_at     timestamptz  not null,
    removed_at  timestamptz,
    constraint person_pk primary key (tenant_id, user_id),
    constraint person_one_each unique (tenant_id, issuer, subject),
    constraint person_of_organisation foreign key (tenant_id, issuer) references booking.organisation,
    constraint person_of_account foreign key (issuer, subject) references booking.account,
    constraint person_email_short check (length(email) between 1 and 320),
    constraint person_name_short check (length(name) between 1 and 600),
    constraint person_role_known check (role in ('admin', 'booker', 'viewer', 'auditor'))
);
create index person_by_account on booking.person (issuer, subject);

-- The webhooks that have had their effect, for some days, so that none has it twice. Whoever sends one names no tenant,
-- and most concern several or none: the table belongs to no tenant, and no tenant sees it.
create table booking.webhook_delivery (
    delivery_id  text         not null,
    received_at  timestamptz  not null default clock_timestamp(),
    constraint webhook_delivery_pk primary key (delivery_id),
    constraint webhook_delivery_id_short check (length(delivery_id) between 1 and 255)
);
create index webhook_delivery_by_age on booking.webhook_delivery using brin (received_at);

alter table booking.organisation     enable row level security;
alter table booking.account          enable row level security;
alter table booking.person           enable row level security;
alter table booking.webhook_delivery enable row level security;

-- Across the tenants: it finds the tenant in the first place. It makes tenants, and what is behind them stays shut.
create policy directory_all on booking.organisation     to booking_directory using (true);
create policy directory_all on booking.account          to booking_directory using (true);
create policy directory_all on booking.person           to booking_directory using (true);
create policy directory_all on booking.webhook_delivery to booking_directory using (true);
create policy directory_all on booking.tenant           to booking_directory using (true);
create policy directory_new on booking.tenant_head for insert to booking_directory with check (seq = 0);

create policy background_all on booking.webhook_delivery to booking_background using (true);

-- An auditor sees who a user is that an event names: by the issuer's id of them, and not by name or address.
create policy auditor_own_tenants on booking.person for select to booking_auditor using (tenant_id = any (array(
    select mine.tenant_id from booking.reader_login mine where mine.login = session_user and mine.role = 'auditor')));

grant select (tenant_id, user_id, issuer, subject, role, since, removed_at) on booking.person to booking_auditor;
-- What a row is of stays as it came: nobody makes one tenant's person or organisation another's.
grant select, insert, update (slug, name, told_at, removed_at) on booking.organisation to booking_directory;
grant select, insert, update (email, name, told_at, removed_at) on booking.account to booking_directory;
grant select, insert, update (email, name, role, told_at, removed_at) on booking.person to booking_directory;
grant select, insert on booking.webhook_delivery to booking_directory;
grant select, insert (tenant_id, slug, name), update (name) on booking.tenant to booking_directory;
grant insert (tenant_id) on booking.tenant_head to booking_directory;
grant select, delete on booking.webhook_delivery to booking_background;
