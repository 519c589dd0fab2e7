package auth

import (
	"slices"

	"schalter/appliance"
)

// Rule says who may use a route or send a message of the live connection.
type Rule struct {
	Route string // "POST /api/v1/desk/next" as the mux has it, or "live ping"
	Roles []appliance.Role
}

// anyone is every role that a request can have. The house itself sends no requests.
func anyone() []appliance.Role {
	return []appliance.Role{
		appliance.Anonymous, appliance.Citizen, appliance.Companion, appliance.RoomDevice, appliance.Viewer,
		appliance.ClerkRole, appliance.Host, appliance.Administrator,
	}
}

// Table is the one table of who may do what: every route of the public port, pages included, and every type of live
// message from a browser. What is not in it is allowed to nobody. Whether a visit is the asker's own, or of an office
// that a clerk serves, is the house's to decide; this table is about roles.
func Table() []Rule {
	all := anyone()
	citizen := []appliance.Role{appliance.Citizen}
	clerk := []appliance.Role{appliance.ClerkRole}
	staff := []appliance.Role{appliance.ClerkRole, appliance.Host, appliance.Administrator}
	talkers := []appliance.Role{appliance.Citizen, appliance.ClerkRole}
	return append(append(roomRules(), administratorRules()...), []Rule{
		// The public API.
		{"GET /api/v1/town", all},
		{"GET /api/v1/openapi.yaml", all},
		{"POST /api/v1/visits", all},
		{"GET /api/v1/visit", citizen},
		{"POST /api/v1/visit/accept", citizen},
		{"POST /api/v1/visit/more-time", citizen},
		{"DELETE /api/v1/visit", citizen},
		{"POST /api/v1/login", all},
		{"DELETE /api/v1/login", staff},
		{"GET /api/v1/desk", clerk},
		{"PUT /api/v1/desk", clerk},
		{"POST /api/v1/desk/next", clerk},
		{"POST /api/v1/visits/{id}/call", clerk},
		{"POST /api/v1/visits/{id}/transfer", clerk},
		{"POST /api/v1/visits/{id}/pull-back", clerk},
		{"POST /api/v1/visits/{id}/park", clerk},
		{"POST /api/v1/visits/{id}/recall", clerk},
		{"POST /api/v1/visits/{id}/finish", clerk},
		{"POST /api/v1/visits/{id}/note", clerk},
		{"GET /api/v1/live", talkers},
		{"GET /healthz", all},
		{"GET /readyz", all},

		// Pages and their forms. A link page shows nothing by itself: what it shows follows from the token in it.
		{"GET /{$}", all},
		{"GET /w/{office}", all},
		{"POST /w/{office}", all},
		{"GET /g/{token}", all},
		{"POST /g/{token}", all},
		{"GET /t/{token}", all},
		{"GET /anmelden", all},
		{"POST /anmelden", all},
		{"POST /abmelden", all},
		{"GET /desk", clerk},
		{"GET /test", all},
		{"GET /hilfe", all},
		{"GET /impressum", all},
		{"GET /datenschutz", all},
		{"GET /barrierefreiheit", all},
		{"GET /leichte-sprache", all},
		{"GET /probleme/{code}", all},
		{"GET /assets/{path...}", all},
		{"GET /branding.css", all},
		{"GET /wappen.svg", all},
		{"GET /favicon.ico", all},
		{"GET /robots.txt", all},
		{"POST /csp-report", all}, // a browser's report of what the policy stopped

		// The live connection, browser to box.
		{"live ping", talkers},
		{"live publish", talkers},
		{"live subscribed", talkers},
		{"live show", talkers},
		{"live restart", talkers},
		{"live rejoin", talkers},
		{"live devices", talkers},
		{"live text", talkers},
		{"live take_over", talkers},
	}...)
}

// administratorRules are those of who sets up the house.
func administratorRules() []Rule {
	administrator := []appliance.Role{appliance.Administrator}
	return []Rule{
		{"GET /api/v1/admin/organisation", administrator},
		{"PUT /api/v1/admin/town", administrator},
		{"PUT /api/v1/admin/offices/{office}", administrator},
		{"GET /admin/{page...}", administrator},
	}
}

// roomRules are those of rooms that the operator opened. A browser asks by OPTIONS before it knows a token.
func roomRules() []Rule {
	all := anyone()
	publisher, viewer := []appliance.Role{appliance.RoomDevice}, []appliance.Role{appliance.Viewer}
	return []Rule{
		{"POST /api/v1/rooms/{room}/whip", publisher},
		{"OPTIONS /api/v1/rooms/{room}/whip", all},
		{"PATCH /api/v1/rooms/{room}/whip/{seat}", publisher},
		{"DELETE /api/v1/rooms/{room}/whip/{seat}", publisher},
		{"OPTIONS /api/v1/rooms/{room}/whip/{seat}", all},
		{"POST /api/v1/rooms/{room}/whep", viewer},
		{"OPTIONS /api/v1/rooms/{room}/whep", all},
		{"PATCH /api/v1/rooms/{room}/whep/{seat}", viewer},
		{"DELETE /api/v1/rooms/{room}/whep/{seat}", viewer},
		{"OPTIONS /api/v1/rooms/{room}/whep/{seat}", all},
	}
}

// allowed is the table by route. It is built once and never changed.
var allowed = func() map[string][]appliance.Role {
	m := map[string][]appliance.Role{}
	for _, r := range Table() {
		m[r.Route] = r.Roles
	}
	return m
}()

// May tells whether a role may use a route or send a live message. Unknown routes and roles may nothing.
func May(route string, role appliance.Role) bool { return slices.Contains(allowed[route], role) }
