import { BookingHttp, Live, type Change } from "booking-client";

const url = process.env["BOOKING_URL"] ?? "http://127.0.0.1:8000";
const token = () => process.env["BOOKING_KEY"] ?? "";

// The HTTP API, typed. A refusal is no exception: it is in `error`, as a problem document.
const { api } = new BookingHttp({ url, token });
const stage = await api.POST("/v1/resources", { body: { name: "Stage 1", kind: "stage", timezone: "Europe/Berlin" } });
if (stage.error) throw new Error(stage.error.detail);
const resource_id = stage.data.id;

// A calendar that stays true: read, then kept up by what happens.
const calendar = new Map<string, string>();

async function read(): Promise<number> {
  const { data, error, response } = await api.GET("/v1/resources/{resource_id}/calendar", {
    params: { path: { resource_id }, query: { from: "2027-03-01T00:00:00Z", to: "2027-03-08T00:00:00Z" } },
  });
  if (error) throw new Error(error.detail);
  calendar.clear();
  for (const { booking_id, start_time } of data.items) calendar.set(booking_id, start_time);
  return Number(response.headers.get("Event-Position"));
}

function apply({ type, booking }: Change): void {
  if (!booking) return; // it is about the stage itself
  const occupies = booking.status === "held" || booking.status === "confirmed";
  if (occupies && booking.resource_ids.includes(resource_id)) calendar.set(booking.id, booking.start_time);
  else calendar.delete(booking.id);
  console.log(type, ...calendar.values());
  if (calendar.size === 0) live.close();
}

const live = new Live({ url, token, trouble: (what) => console.error("Trouble:", what) });
live.subscribe({ resource_id }, { after: await read(), read, apply });

// What anybody books is seen by all who follow the stage, this program among them.
const pilot = await api.POST("/v1/bookings", {
  body: {
    resource_ids: [resource_id],
    title: "Pilot",
    status: "confirmed",
    start_time: "2027-03-01T09:00:00+01:00",
    end_time: "2027-03-01T18:00:00+01:00",
  },
});
if (pilot.error) throw new Error(pilot.error.detail);
await api.POST("/v1/bookings/{booking_id}/cancel", { params: { path: { booking_id: pilot.data.id } } });
