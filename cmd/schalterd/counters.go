package main

import (
	"net/http"
	"time"

	"schalter/appliance"
	"schalter/media"
	"schalter/media/apart"
	"schalter/media/port"
	"schalter/media/relay"
)

// metrics answers in Prometheus' text format, over this socket alone (DESIGN 7): a page on the one port would be open to the world
// behind any proxy of the town's. No label names a person, an address, a room or a seat; desks are counted for the whole house and
// not by office, where a count of one would be somebody's pause.
func (o *operator) metrics(w http.ResponseWriter, r *http.Request) {
	s, err := o.status(r)
	if err != nil {
		refuse(w, problemOf(err))
		return
	}
	snapshot, err := o.store.Load(r.Context())
	if err != nil {
		refuse(w, problemOf(err))
		return
	}
	var e exposition
	e.gauge("schalter_build_info", "The running version; always 1.", sample{1, labels{"version", s.Version}})
	var visits, staff []sample
	for _, office := range s.Offices {
		for _, n := range []struct {
			state appliance.State
			count int
		}{{appliance.Waiting, office.Waiting}, {appliance.Called, office.Called}, {appliance.Talking, office.Talking}, {appliance.Parked, office.Parked}} {
			visits = append(visits, sample{float64(n.count), labels{"office", office.ID, "state", string(n.state)}})
		}
		staff = append(staff, sample{float64(office.Staff), labels{"office", office.ID}})
	}
	e.gauge("schalter_visits", "Visits that are not over.", visits...)
	e.gauge("schalter_office_desks", "Desks at work for an office.", staff...)
	desks := map[appliance.DeskState]int{}
	for _, d := range snapshot.Desks {
		desks[d.State]++
	}
	e.gauge("schalter_desks", "Desks by what their clerks have chosen.",
		sample{float64(desks[appliance.Available]), labels{"state", string(appliance.Available)}},
		sample{float64(desks[appliance.Pause]), labels{"state", string(appliance.Pause)}})

	up := 0.0
	f, away := o.media.figures(r.Context())
	if away == nil {
		up = 1
	}
	e.gauge("schalter_media_up", "1 while a media process is there and answers.", one(up)...)
	e.counter("schalter_media_starts_total", "Media processes that were started.", one(float64(s.Media.Starts))...)
	own := process{"office", o.since, s.Goroutines, s.Files, s.Memory, cpu()}
	if away != nil { // its counters are left out: one that begins again at 0 is one that was started again
		e.processes(own)
	} else {
		e.processes(own, process{"media", s.Media.Since, f.Goroutines, f.Files, f.Memory, f.CPU})
		e.mediaProcess(f)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(e.text) // who hung up does not wait for an answer
}

// process is what every process tells of itself.
type process struct {
	name              string
	since             time.Time
	goroutines, files int
	memory            uint64
	cpu               float64
}

func (e *exposition) processes(all ...process) {
	for _, m := range []struct {
		write      func(name, help string, samples ...sample)
		name, help string
		of         func(process) float64
	}{
		{e.gauge, "schalter_process_start_time_seconds", "When the process began, since the Unix epoch.",
			func(p process) float64 { return float64(p.since.UnixMilli()) / 1e3 }},
		{e.counter, "schalter_process_cpu_seconds_total", "CPU time, of the program and of the kernel for it.", func(p process) float64 { return p.cpu }},
		{e.gauge, "schalter_process_goroutines", "Goroutines.", func(p process) float64 { return float64(p.goroutines) }},
		{e.gauge, "schalter_process_open_files", "Open descriptors.", func(p process) float64 { return float64(p.files) }},
		{e.gauge, "schalter_process_memory_bytes", "Memory that the system gave.", func(p process) float64 { return float64(p.memory) }},
	} {
		var samples []sample
		for _, p := range all {
			samples = append(samples, sample{m.of(p), labels{"process", p.name}})
		}
		m.write(m.name, m.help, samples...)
	}
}

// mediaProcess tells what the media process counts. Every number of Figures is told: a test sees to that.
func (e *exposition) mediaProcess(f apart.Figures) {
	e.media(f.Media)
	e.port(f.Port)
	e.relay(f.Relay)
}

func (e *exposition) media(t media.Totals) {
	e.gauge("schalter_media_rooms", "Rooms.", one(t.Rooms)...)
	e.gauge("schalter_media_seats", "Seats in all rooms.", one(t.Seats)...)
	e.gauge("schalter_media_connections", "Peer connections, by what seats do on them.", by("way", "publish receive", t.Publishing, t.Subscribing)...)
	in, out := t.Received, t.Sent
	e.counter("schalter_media_received_packets_total", "Packets of pictures and sound that came in.", one(in.Packets)...)
	e.counter("schalter_media_received_bytes_total", "Their payloads.", one(in.Octets)...)
	e.counter("schalter_media_received_dropped_packets_total", "Packets that came in and were of no use.",
		by("reason", "malformed duplicate late stranger forged", in.Malformed, in.Duplicates, in.Late, in.Strangers, in.Forged)...)
	e.counter("schalter_media_received_lost_packets_total", "Packets that were missing and asked for again, once for each time.", one(in.Nacks)...)
	e.counter("schalter_media_sent_packets_total", "Packets that went out to receivers, repetitions among them.", one(out.Packets)...)
	e.counter("schalter_media_sent_bytes_total", "Their payloads.", one(out.Octets)...)
	e.counter("schalter_media_unsent_packets_total", "Packets that did not go out: before a key frame, or their connection was going.",
		by("reason", "held failed", out.Held, out.Failed)...)
	e.counter("schalter_media_sent_lost_packets_total", "Packets that receivers asked for again.", one(out.Nacked)...)
	e.counter("schalter_media_repeated_packets_total", "Packets that were sent again.", one(out.Repeated)...)
	e.counter("schalter_media_unrepeated_packets_total", "Packets that were asked for and not sent again.",
		by("reason", "gone budget", out.Missing, out.Refused)...)
	e.counter("schalter_media_key_frame_requests_total", "Requests for a key frame.", by("way", "to_publisher from_receiver", in.KeyRequests, out.KeyRequests)...)
}

func (e *exposition) port(s port.Stats) {
	e.counter("schalter_port_received_packets_total", "Packets that reached their connection.", one(s.Received)...)
	e.counter("schalter_port_sent_packets_total", "Packets that left, over UDP and TCP.", one(s.Sent)...)
	e.counter("schalter_port_dropped_packets_total", "Packets that were dropped.", by("reason", "stranger malformed forged overflow unasked crowded", s.Strangers, s.Malformed, s.Forged, s.Overflow, s.Unasked, s.Crowded)...)
	e.counter("schalter_port_socket_errors_total", "System calls of sockets that failed.", one(s.Failed)...)
	e.counter("schalter_port_system_calls_total", "System calls of UDP sockets; each takes many packets.", by("way", "receive send", s.CallsIn, s.CallsOut)...)
	e.counter("schalter_port_segmented_messages_total", "Messages that the kernel took apart into packets.", one(s.Segmented)...)
	e.counter("schalter_port_refused_messages_total", "Messages that it would not take apart.", one(s.Refused)...)
	e.gauge("schalter_port_peers", "Connections that the port serves.", one(s.Peers)...)
	e.gauge("schalter_port_detours", "Ways by TCP: ICE-TCP streams and relay allocations.", one(s.Remotes)...)
	e.gauge("schalter_port_streams", "ICE-TCP streams.", one(s.Streams)...)
}

func (e *exposition) relay(s relay.Stats) {
	e.gauge("schalter_relay_seats", "Seats that have credentials.", one(s.Seats)...)
	e.gauge("schalter_relay_connections", "TURN connections.", one(s.Connections)...)
	e.gauge("schalter_relay_allocations", "Allocations.", one(s.Allocations)...)
	e.counter("schalter_relay_allocations_total", "Allocations that were made.", one(s.Allocated)...)
	e.counter("schalter_relay_refusals_total", "Requests that were refused.", by("reason", "credential quota peer", s.Refused, s.Quota, s.Forbidden)...)
	e.counter("schalter_relay_packets_total", "Packets that were relayed.", by("way", "in out", s.Inbound, s.Outbound)...)
	e.counter("schalter_relay_dropped_packets_total", "Packets that were dropped.", by("reason", "astray unused overflow", s.Astray, s.Unused, s.Overflow)...)
	e.counter("schalter_relay_faults_total", "Warnings and errors of the TURN library.", one(s.Faults)...)
}
