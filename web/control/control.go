package control

import (
	"path/filepath"
	"time"
)

// SocketFile is where the daemon that works in dir listens.
func SocketFile(dir string) string { return filepath.Join(dir, "control.sock") }

// Routes of the socket.
const (
	StatusRoute  = "GET /status"
	VisitsRoute  = "GET /visits"
	DoctorRoute  = "GET /doctor"
	ClerksRoute  = "POST /clerks"
	RoomsRoute   = "GET /rooms"
	OpenRoute    = "POST /rooms"
	CloseRoute   = "POST /rooms/close"
	MetricsRoute = "GET /metrics" // Prometheus text
)

// Status is how the box is doing.
type Status struct {
	Version   string    `json:"version"`
	Since     time.Time `json:"since"`
	Process   int       `json:"process"`
	Listen    string    `json:"listen"` // the bound address, with the port that was chosen
	Port      int       `json:"port"`
	Links     []string  `json:"links"` // addresses for a browser, the best first
	Authority string    `json:"authority,omitempty"`
	Demo      bool      `json:"demo"`
	Town      string    `json:"town"`
	Offices   []Office  `json:"offices"`
	// Goroutines, Files (open descriptors) and Memory (bytes from the system) show leaks.
	Goroutines int    `json:"goroutines"`
	Files      int    `json:"files"`
	Memory     uint64 `json:"memory"`
	Media      Media  `json:"media"`
}

// Media is the process that forwards pictures and sound, with the same figures.
type Media struct {
	Process    int       `json:"process"` // 0: there is none at the moment
	Since      time.Time `json:"since"`
	Starts     int       `json:"starts"` // since the daemon's own
	Goroutines int       `json:"goroutines"`
	Files      int       `json:"files"`
	Memory     uint64    `json:"memory"`
	Rooms      int       `json:"rooms"`
	Seats      int       `json:"seats"`
	Detours    int       `json:"detours"` // ways by TCP, for people whose network lets no UDP out
}

// Office is one office's load.
type Office struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	State   string `json:"state"` // open, closed, full
	Staff   int    `json:"staff"` // desks at work for it now
	Waiting int    `json:"waiting"`
	Called  int    `json:"called"`
	Talking int    `json:"talking"`
	Parked  int    `json:"parked"`
}

// Visit is one that is not over: no name, no matter.
type Visit struct {
	ID        string    `json:"id"`
	Version   int64     `json:"version"`
	State     string    `json:"state"`
	Office    string    `json:"office"`
	Clerk     string    `json:"clerk,omitempty"`
	ArrivedAt time.Time `json:"arrived_at"`
	Transfers int       `json:"transfers"`
}

// Clerk is a new member of staff, or a changed one. The password is stored as a hash.
type Clerk struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Offices  []string `json:"offices"`
	Roles    []string `json:"roles"`
	Password string   `json:"password,omitempty"`
}

// RoomWish names a room to open or close. Origins are the foreign pages that may use it, for OpenRoute.
type RoomWish struct {
	Room    string   `json:"room"`
	Origins []string `json:"origins,omitempty"`
}

// OpenedRoom answers OpenRoute: the room as its address names it, and its two tokens, which are told this once.
type OpenedRoom struct {
	Room         string `json:"room"`
	PublishToken string `json:"publish_token"`
	ViewToken    string `json:"view_token"`
}

// Room is an open room and who is in it.
type Room struct {
	Room       string    `json:"room"`
	Origins    []string  `json:"origins"`
	OpenedAt   time.Time `json:"opened_at"`
	Publishers int       `json:"publishers"`
	Viewers    int       `json:"viewers"`
}

// Finding is one thing that the doctor looked at.
type Finding struct {
	Check string `json:"check"`
	State string `json:"state"` // good, watch, bad
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

// Problem is a refusal (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}
