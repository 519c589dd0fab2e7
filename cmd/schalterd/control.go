package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"schalter/appliance"
	"schalter/appliance/box"
	"schalter/appliance/hall"
	"schalter/appliance/store"
	"schalter/web/control"
)

// maxControlBody is more than any clerk's row needs.
const maxControlBody = 64 << 10

// operator is the operator's end of the daemon: what it needs of the parts that wire.go built.
type operator struct {
	hall    *hall.Hall
	store   *store.Store
	hash    func(ctx context.Context, password string) (string, error)
	where   func() *addresses
	cert    *box.Certificate
	sockets sockets
	media   *supervisor
	dir     string
	demo    bool
	since   time.Time
	log     *slog.Logger
}

// serve answers on the control socket until ctx ends.
func (o *operator) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: o.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return nil
}

// listenControl takes the place of a socket that a killed daemon left: whoever holds DIR's lock owns it. A path longer than the
// 108 bytes that the kernel takes is reached through the directory's descriptor. From its first moment on it is for this account alone: the
// process's umask is 0077.
func listenControl(dataDir string) (net.Listener, error) {
	path := control.SocketFile(dataDir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	defer dir.Close()
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open control socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // by its short name it could be another file by then
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open control socket: %w", err), listener.Close())
	}
	return listener, nil
}

func (o *operator) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(control.StatusRoute, answer(o.status))
	mux.HandleFunc(control.VisitsRoute, answer(o.visits))
	mux.HandleFunc(control.DoctorRoute, answer(o.doctor))
	mux.HandleFunc(control.ClerksRoute, answer(o.addClerk))
	mux.HandleFunc(control.RoomsRoute, answer(o.rooms))
	mux.HandleFunc(control.OpenRoute, answer(o.openRoom))
	mux.HandleFunc(control.CloseRoute, answer(o.closeRoom))
	mux.HandleFunc(control.MetricsRoute, o.metrics)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, &control.Problem{Type: "unknown-route", Title: "Das kennt diese Box nicht", Status: http.StatusNotFound,
			Detail: "Gehört das Programm schalter zu einer anderen Fassung als der laufende Dienst?"})
	})
	return mux
}

// answer turns a function that gives a value into a handler.
func answer[T any](f func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		value, err := f(r)
		if err != nil {
			refuse(w, problemOf(err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value) // who hung up does not wait for an answer
	}
}

func refuse(w http.ResponseWriter, p *control.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // as above
}

// problemOf says in German what an operator can do about an error. The operator may see internals: it is their box.
func problemOf(err error) *control.Problem {
	var p *control.Problem
	if errors.As(err, &p) {
		return p
	}
	var e *appliance.Error
	if !errors.As(err, &e) {
		return &control.Problem{Type: "internal", Title: "Das hat nicht geklappt", Status: http.StatusInternalServerError, Detail: err.Error()}
	}
	p = &control.Problem{Type: e.Code, Title: "Das geht so nicht", Status: http.StatusUnprocessableEntity, Detail: e.Error()}
	switch e.Kind {
	case appliance.Unavailable:
		p.Title, p.Status = "Die Box kann das gerade nicht", http.StatusServiceUnavailable
	case appliance.NotFound:
		p.Status = http.StatusNotFound
	case appliance.Conflict:
		p.Status = http.StatusConflict
	default: // a value at fault
	}
	texts := map[string]string{ //nolint:gosec // texts about passwords, not passwords
		"id-invalid":         "Der Anmeldename besteht aus kleinen Buchstaben a–z, Ziffern, Punkt, Binde- und Unterstrich.",
		"office-unknown":     "Ein Amt mit diesem Kürzel gibt es nicht. „schalter status“ zeigt alle.",
		"role-unknown":       "Rollen sind clerk, host und administrator.",
		"name-missing":       "Es fehlt der Name.",
		"name-invalid":       "Im Namen stehen Zeichen, die dort nicht hingehören.",
		"name-too-long":      "Der Name ist zu lang: höchstens 100 Zeichen.",
		"title-missing":      "Es fehlt die Anrede, zum Beispiel „Frau Weber“.",
		"title-invalid":      "In der Anrede stehen Zeichen, die dort nicht hingehören.",
		"title-too-long":     "Die Anrede ist zu lang: höchstens 100 Zeichen.",
		"password-too-short": "Das Passwort ist zu kurz: mindestens 8 Zeichen.",
		"password-too-long":  "Das Passwort ist zu lang.",
		"room-invalid":       "Der Name eines Raums besteht aus Buchstaben a–z, Ziffern, Punkt, Binde- und Unterstrich, höchstens 64 Zeichen.",
		"room-unknown":       "Ein Raum mit diesem Namen ist nicht offen. „schalter room list“ zeigt alle.",
		"too-many-rooms":     fmt.Sprintf("Es sind schon %d Räume offen. Schließen Sie einen mit „schalter room close“.", appliance.MaxRooms),
		"origin-invalid":     "Eine Herkunft ist eine Adresse ohne Pfad, zum Beispiel https://www.lindenau.example.",
		"too-many-origins":   fmt.Sprintf("Das sind zu viele Seiten: höchstens %d.", appliance.MaxOrigins),
	}
	if text, ok := texts[e.Code]; ok {
		p.Detail = text
	}
	return p
}

// status reads the house as the store has it: what is acknowledged.
func (o *operator) status(r *http.Request) (control.Status, error) {
	town, err := o.hall.Town(r.Context())
	if err != nil {
		return control.Status{}, err
	}
	snapshot, err := o.store.Load(r.Context())
	if err != nil {
		return control.Status{}, err
	}
	where := o.where()
	s := control.Status{
		Version: version(), Since: o.since, Process: os.Getpid(), Demo: o.demo, Town: strings.TrimSpace(town.Kind + " " + town.Name),
		Listen: o.sockets.tcpAddress().String(), Port: o.sockets.port(), Links: where.links(),
		Goroutines: runtime.NumGoroutine(), Files: openFiles(), Memory: memory(),
		Media: o.media.status(r.Context()),
	}
	if o.cert.Own() {
		s.Authority = box.AuthorityFile(certificateDir(o.dir))
	}
	for _, office := range town.Offices {
		line := control.Office{ID: string(office.ID), Name: office.Name, State: string(office.State), Staff: office.Staff}
		for _, v := range snapshot.Visits {
			if v.Office != office.ID {
				continue
			}
			switch v.State {
			case appliance.Waiting:
				line.Waiting++
			case appliance.Called:
				line.Called++
			case appliance.Talking:
				line.Talking++
			case appliance.Parked:
				line.Parked++
			default: // over
			}
		}
		s.Offices = append(s.Offices, line)
	}
	return s, nil
}

func (o *operator) visits(r *http.Request) ([]control.Visit, error) {
	snapshot, err := o.store.Load(r.Context())
	if err != nil {
		return nil, err
	}
	all := []control.Visit{} // [] in JSON, not null
	for _, v := range snapshot.Visits {
		if v.State.Over() {
			continue
		}
		all = append(all, control.Visit{ID: string(v.ID), Version: v.Version, State: string(v.State), Office: string(v.Office),
			Clerk: string(v.Clerk), ArrivedAt: v.ArrivedAt, Transfers: v.Transfers})
	}
	slices.SortFunc(all, func(a, b control.Visit) int { return a.ArrivedAt.Compare(b.ArrivedAt) })
	return all, nil
}

func (o *operator) doctor(r *http.Request) ([]control.Finding, error) {
	where := o.where()
	free, total, err := box.Disk(o.dir)
	if err != nil {
		o.log.WarnContext(r.Context(), "disk not measured", "error", err)
	}
	leaf := o.cert.Leaf()
	facts := box.Facts{
		Now: time.Now(), Built: box.Built(), Synchronised: box.ClockSynchronised(),
		TCP: o.sockets.tcpAddress(), UDP: o.sockets.udpAddress(), Addresses: where.own, Unresolved: where.unresolved,
		Names: where.certificateNames(), CertNames: box.NamesOf(leaf), CertEnds: leaf.NotAfter, CertOwn: o.cert.Own(),
		DiskFree: free, DiskTotal: total, Database: o.store.Check(r.Context()),
		MediaAway: !o.media.plane.Present(), MediaDeaths: o.media.diedSince(time.Now().Add(-24 * time.Hour)),
	}
	if f, err := o.media.figures(r.Context()); err == nil {
		facts.MediaSent, facts.MediaLost = f.Media.Sent.Packets, f.Media.Sent.Nacked
	}
	for _, p := range where.public {
		facts.Public = append(facts.Public, p.Host)
	}
	if facts.Database == nil {
		_, facts.Database = o.store.VerifyAudit(r.Context())
	}
	var all []control.Finding
	for _, f := range box.Diagnose(facts) {
		all = append(all, control.Finding{Check: f.Check, State: string(f.State), What: f.What, Do: f.Do})
	}
	return all, nil
}

// decode reads a body strictly.
func decode(r *http.Request, v any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return &control.Problem{Type: "malformed", Title: "Das ist nicht zu verstehen", Status: http.StatusBadRequest, Detail: err.Error()}
	}
	return nil
}

// addClerk makes a member of staff and sets the password. A clerk whose password was not set, because the box was switched off in
// between, may be added again.
func (o *operator) addClerk(r *http.Request) (control.Clerk, error) {
	var c control.Clerk
	if err := decode(r, &c); err != nil {
		return c, err
	}
	row := appliance.Clerk{ID: appliance.ClerkID(c.ID), Name: c.Name, Title: c.Title}
	for _, role := range c.Roles {
		row.Roles = append(row.Roles, appliance.Role(role))
	}
	if len(row.Roles) == 0 {
		row.Roles = []appliance.Role{appliance.ClerkRole}
	}
	for _, office := range c.Offices {
		row.Offices = append(row.Offices, appliance.OfficeID(office))
	}
	secret, err := o.store.Secret(r.Context(), c.ID)
	var e *appliance.Error
	switch {
	case err == nil && secret.Password != "":
		return c, &control.Problem{Type: "clerk-exists", Title: "Diesen Anmeldenamen gibt es schon", Status: http.StatusConflict,
			Detail: "Wählen Sie einen anderen."}
	case err != nil && (!errors.As(err, &e) || e.Kind != appliance.NotFound):
		return c, err
	}
	hash, err := o.hash(r.Context(), c.Password)
	if err != nil {
		return c, err
	}
	house := appliance.Actor{Role: appliance.TheHouse}
	if _, err := o.hall.Do(r.Context(), hall.Request{Actor: house, Event: appliance.PutClerk{Clerk: row}}); err != nil {
		return c, err
	}
	if err := o.store.SetSecret(r.Context(), row.ID, hash, true, time.Now()); err != nil {
		return c, err
	}
	c.Password, c.Roles = "", nil
	for _, role := range row.Roles {
		c.Roles = append(c.Roles, string(role))
	}
	return c, nil
}

// openFiles counts this process's descriptors, without the one that counts.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries) - 1
}

// memory is what the kernel has given to this process, in bytes.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

// cpu is the time that this process has computed, in seconds.
func cpu() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
