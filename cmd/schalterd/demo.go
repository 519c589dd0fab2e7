package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"schalter/appliance"
	"schalter/appliance/store"
)

// demoClerk is a line of the greeting.
type demoClerk struct {
	signIns, what string
}

// demoSignIns is what a visitor of the demo is told.
func demoSignIns() []demoClerk {
	return []demoClerk{
		{"weber", "Bürgerbüro"},
		{"oezdemir", "Standesamt"},
		{"petersen", "Bauamt (ebenso platz1 bis platz8)"},
		{"haas", "Soziales und Wohngeld"},
		{"verwaltung", "Verwaltung der Box"},
	}
}

// demoTown is Lindenau as DESIGN 7 names it: open around the clock, staffed or not, without a limit, and one office that is
// closed, so that this can be seen too.
func demoTown() appliance.Snapshot {
	return appliance.Snapshot{
		Town:    appliance.Town{Name: "Lindenau", Kind: "Stadt", Telephone: "0661 7001-0", Notice: 1},
		Offices: demoOffices(),
		Clerks:  demoClerks(),
	}
}

// demoOffices is the tree: Standesamt and Soziales belong to the Bürgerbüro's department, Bauamt and Steuern stand for themselves.
func demoOffices() []appliance.Office {
	return []appliance.Office{
		{
			ID: "buergerbuero", Name: "Bürgerbüro", Telephone: "0661 7001-20", Order: 1, Duration: 10 * time.Minute,
			Bring: []string{"Personalausweis oder Reisepass", "Bei Umzug: Bestätigung des Wohnungsgebers"},
			Services: []appliance.Service{
				{ID: "ummelden", Name: "Wohnung an- oder ummelden", Duration: 10 * time.Minute,
					Bring: []string{"Ausweise aller, die umziehen", "Bestätigung des Wohnungsgebers"}},
				{ID: "ausweis", Name: "Personalausweis oder Reisepass beantragen", Duration: 12 * time.Minute,
					Bring: []string{"Bisheriger Ausweis", "Biometrisches Foto"}},
				{ID: "fuehrungszeugnis", Name: "Führungszeugnis beantragen", Duration: 6 * time.Minute},
				{ID: "hund", Name: "Hund anmelden", Duration: 6 * time.Minute, Bring: []string{"Nummer des Chips"}},
			},
		},
		{
			ID: "standesamt", Parent: "buergerbuero", Name: "Standesamt", Telephone: "0661 7001-30", Order: 2, Duration: 15 * time.Minute,
			Bring: []string{"Personalausweis oder Reisepass", "Geburtsurkunde, wenn zur Hand"},
			Services: []appliance.Service{
				{ID: "eheschliessung", Name: "Eheschließung anmelden", Duration: 25 * time.Minute,
					Bring: []string{"Ausweise beider Verlobter", "Beglaubigte Abschriften aus dem Geburtenregister"}},
				{ID: "urkunde", Name: "Urkunde bestellen", Duration: 8 * time.Minute},
				{ID: "geburt", Name: "Geburt beurkunden", Duration: 15 * time.Minute, Bring: []string{"Geburtsbescheinigung der Klinik"}},
			},
		},
		{
			ID: "bauamt", Name: "Bauamt", Telephone: "0661 7001-40", Order: 3, Duration: 20 * time.Minute,
			Bring: []string{"Flurstück oder Anschrift des Grundstücks", "Pläne, wenn es welche gibt"},
			Services: []appliance.Service{
				{ID: "bauantrag", Name: "Fragen zum Bauantrag", Duration: 20 * time.Minute, Bring: []string{"Lageplan"}},
				{ID: "carport", Name: "Carport, Garage, Zaun", Duration: 12 * time.Minute},
				{ID: "bebauungsplan", Name: "Auskunft aus dem Bebauungsplan", Duration: 10 * time.Minute},
			},
		},
		{
			ID: "soziales", Parent: "buergerbuero", Name: "Soziales und Wohngeld", Telephone: "0661 7001-50", Order: 4, Duration: 18 * time.Minute,
			Bring: []string{"Mietvertrag", "Nachweise über das Einkommen der letzten drei Monate"},
			Services: []appliance.Service{
				{ID: "wohngeld", Name: "Wohngeld beantragen", Duration: 20 * time.Minute},
				{ID: "bildung", Name: "Bildung und Teilhabe", Duration: 12 * time.Minute},
				{ID: "wohnberechtigung", Name: "Wohnberechtigungsschein", Duration: 12 * time.Minute},
			},
		},
		{
			ID: "steuern", Name: "Steuern und Abgaben", Telephone: "0661 7001-60", Order: 5, Closed: true,
			Duration: 10 * time.Minute, Bring: []string{"Kassenzeichen vom letzten Bescheid"},
			Services: []appliance.Service{
				{ID: "grundsteuer", Name: "Fragen zur Grundsteuer", Duration: 10 * time.Minute},
				{ID: "hundesteuer", Name: "Hundesteuer", Duration: 6 * time.Minute},
			},
		},
	}
}

func demoClerks() []appliance.Clerk {
	clerk := func(id, name, title string, office appliance.OfficeID) appliance.Clerk {
		return appliance.Clerk{ID: appliance.ClerkID(id), Name: name, Title: title,
			Roles: []appliance.Role{appliance.ClerkRole}, Offices: []appliance.OfficeID{office}}
	}
	return []appliance.Clerk{
		clerk("weber", "Sabine Weber", "Frau Weber", "buergerbuero"),
		clerk("oezdemir", "Elif Özdemir", "Frau Özdemir", "standesamt"),
		clerk("petersen", "Nils Petersen", "Herr Petersen", "bauamt"),
		clerk("platz1", "Anja Brandt", "Frau Brandt", "bauamt"),
		clerk("platz2", "Dirk Engel", "Herr Engel", "bauamt"),
		clerk("platz3", "Fatma Yıldız", "Frau Yıldız", "bauamt"),
		clerk("platz4", "Georg Hahn", "Herr Hahn", "bauamt"),
		clerk("platz5", "Ines Jung", "Frau Jung", "bauamt"),
		clerk("platz6", "Kai Lorenz", "Herr Lorenz", "bauamt"),
		clerk("platz7", "Maria Novak", "Frau Novak", "bauamt"),
		clerk("platz8", "Oliver Pohl", "Herr Pohl", "bauamt"),
		clerk("haas", "Karin Haas", "Frau Haas", "soziales"),
		{ID: "verwaltung", Name: "Marion Becker", Title: "Frau Becker", Roles: []appliance.Role{appliance.Administrator}},
	}
}

// madeUpPassword is easy to read out and type on a phone: four groups of four letters and digits, 80 random bits, without those that
// are mistaken for each other.
func madeUpPassword() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // 32
	random := make([]byte, 16)
	rand.Read(random)
	out := make([]byte, 0, 19)
	for i, b := range random {
		if i > 0 && i%4 == 0 {
			out = append(out, '-')
		}
		out = append(out, letters[int(b)%len(letters)])
	}
	return string(out)
}

// passwordFile keeps the demo's password readable beside its database, so that every start can print it. There is
// nothing to protect: the demo's people are made up, and the file is its owner's.
const passwordFile = "demo-password"

// fillDemo fills an empty store with the demo town and gives its password. A filled one keeps everything; only a password that is given
// explicitly and differs from the kept one is set anew, and only where the demo itself filled the store.
func fillDemo(ctx context.Context, s *store.Store, hash func(context.Context, string) (string, error), cfg config) (string, error) {
	path := filepath.Join(cfg.Dir, passwordFile)
	empty, err := s.Empty(ctx)
	if err != nil {
		return "", fmt.Errorf("look for the demo town: %w", err)
	}
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the demo's password: %w", err)
	}
	password := strings.TrimSpace(string(kept))
	if !empty && (password == "" || cfg.DemoPassword == "" || cfg.DemoPassword == password) {
		return password, nil
	}
	switch {
	case cfg.DemoPassword != "":
		password = cfg.DemoPassword
	case empty:
		password = madeUpPassword()
	}
	// One hash for all: it is one password, and hashing it thirteen times would take a start of seconds.
	hashed, err := hash(ctx, password)
	if err != nil {
		return "", fmt.Errorf("hash the demo's password: %w", err)
	}
	// The file first: a demo whose password nobody knows would be of no use.
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the demo's password: %w", err)
	}
	town := demoTown()
	if empty {
		secrets := make(map[appliance.ClerkID]string)
		for _, c := range town.Clerks {
			secrets[c.ID] = hashed
		}
		if err := s.Fill(ctx, town, secrets); err != nil {
			return "", fmt.Errorf("fill the demo town: %w", err)
		}
		return password, nil
	}
	for _, c := range town.Clerks {
		if err := s.SetSecret(ctx, c.ID, hashed, true, time.Now()); err != nil {
			return "", fmt.Errorf("set the demo's password: %w", err)
		}
	}
	return password, nil
}
