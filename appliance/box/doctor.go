package box

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// State says how bad a finding is.
type State string

// States of a finding.
const (
	Good  State = "good"
	Watch State = "watch" // works, but somebody should look at it
	Bad   State = "bad"   // people are turned away, or soon will be
)

// Finding is one thing that the doctor looked at: what is, and what to do about it, in plain German.
type Finding struct {
	Check string `json:"check"` // stable name, for machines
	State State  `json:"state"`
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

// Facts are what the doctor judges.
type Facts struct {
	Now time.Time
	// Built is when this program was built; zero when not known. No honest clock is before it.
	Built time.Time
	// Synchronised tells whether the kernel's clock follows a time server; nil when it would not say.
	Synchronised *bool
	// TCP and UDP are the bound addresses; the zero value stands for none.
	TCP, UDP netip.AddrPort
	// Addresses are the machine's own, Public what the outside was said to see.
	Addresses []netip.Addr
	Public    []string
	// Unresolved are those of Public that could not be looked up.
	Unresolved []string
	// Names are what the certificate should stand for, CertNames what it does stand for.
	Names     Names
	CertNames Names
	CertEnds  time.Time
	CertOwn   bool
	DiskFree  uint64 // bytes, for the directory of the database
	DiskTotal uint64
	Database  error // of the last check
	// MediaAway tells that no process forwards pictures and sound now, MediaDeaths how many ended in the last 24 hours.
	MediaAway   bool
	MediaDeaths int
	// MediaSent and MediaLost are the packets of pictures and sound that this process sent, and those of them that were asked for again.
	MediaSent, MediaLost uint64
}

const (
	// diskBad is what the database, its log and a backup need to go on through a working day.
	diskBad = 256 << 20
	// diskWatch is the share of free disk below which an administrator is told.
	diskWatch = 15 // percent
	// lossWatch is the share of lost packets above which pictures stand still now and then; of fewer than lossOf it says nothing.
	lossWatch = 5       // percent
	lossOf    = 100_000 // packets: some minutes of one talk
)

// Diagnose judges the facts: every check gives one finding, the worst come first.
func Diagnose(f Facts) []Finding {
	findings := []Finding{
		f.ports(), f.addresses(), f.reach(), f.names(), f.expiry(), f.trust(), f.clock(), f.disk(), f.database(), f.media(),
	}
	rank := map[State]int{Bad: 0, Watch: 1, Good: 2}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(rank[a.State], rank[b.State]) })
	return findings
}

// Worst is the state of the box as a whole.
func Worst(findings []Finding) State {
	worst := Good
	for _, f := range findings {
		switch f.State {
		case Bad:
			return Bad
		case Watch:
			worst = Watch
		case Good:
		}
	}
	return worst
}

func (f Facts) ports() Finding {
	const check = "ports"
	switch {
	case !f.TCP.IsValid():
		return Finding{check, Bad, "Der TCP-Anschluss ist nicht geöffnet. Niemand kann die Seiten aufrufen.",
			"Starten Sie den Dienst neu. Bleibt es dabei, belegt ein anderes Programm den Anschluss."}
	case !f.UDP.IsValid():
		return Finding{check, Bad, "Der UDP-Anschluss ist nicht geöffnet. Bild und Ton laufen nur auf Umwegen.",
			"Starten Sie den Dienst neu. Bleibt es dabei, belegt ein anderes Programm den Anschluss."}
	case f.TCP.Port() != f.UDP.Port():
		return Finding{check, Bad, fmt.Sprintf("TCP läuft auf Anschluss %d, UDP auf %d.", f.TCP.Port(), f.UDP.Port()),
			"Beide müssen dieselbe Nummer haben, denn der Router leitet nur eine weiter. Prüfen Sie --listen oder die Socket-Unit."}
	}
	return Finding{Check: check, State: Good, What: fmt.Sprintf("Anschluss %d ist für TCP und UDP geöffnet.", f.TCP.Port())}
}

func (f Facts) addresses() Finding {
	const check = "addresses"
	for _, a := range f.Addresses {
		if !a.IsLoopback() {
			return Finding{Check: check, State: Good, What: "Die Box ist im Netz unter " + join(f.Addresses) + " zu finden."}
		}
	}
	if f.TCP.Addr().IsLoopback() {
		return Finding{check, Bad, "Die Box ist nur auf diesem Rechner zu erreichen. Browser bauen keine Gespräche zur eigenen Maschine auf.",
			"Starten Sie den Dienst mit --listen :8443 oder ohne diese Angabe."}
	}
	return Finding{check, Bad, "Die Box hat keine Adresse im Netz. Browser bauen keine Gespräche zur eigenen Maschine auf.",
		"Stecken Sie das Netzwerkkabel ein und prüfen Sie, ob der Router eine Adresse vergibt."}
}

func (f Facts) reach() Finding {
	const check = "reach"
	if len(f.Unresolved) > 0 {
		return Finding{check, Bad, fmt.Sprintf("Der Name %s ist im Internet nicht zu finden.", f.Unresolved[0]),
			"Prüfen Sie die Schreibweise und beim Anbieter Ihrer Internetadresse, ob der Name auf Ihren Anschluss zeigt."}
	}
	if len(f.Public) > 0 {
		return Finding{Check: check, State: Good,
			What: fmt.Sprintf("Von außen ist die Box als %s angegeben. Leitet der Router den Anschluss für TCP und UDP weiter?", f.Public[0])}
	}
	for _, a := range f.Addresses {
		if a.IsGlobalUnicast() && !a.IsPrivate() {
			return Finding{Check: check, State: Good, What: "Die Box hat eine öffentliche Adresse: " + a.String() + "."}
		}
	}
	return Finding{check, Watch, "Die Box kennt keine Adresse, unter der Bürgerinnen und Bürger sie von zu Hause erreichen.",
		"Starten Sie sie mit --public NAME, sobald der Router den Anschluss für TCP und UDP an die Box weiterleitet. Für den Betrieb im Haus ist nichts zu tun."}
}

func (f Facts) names() Finding {
	const check = "certificate_names"
	hosts, addresses := f.Names.sorted()
	for _, host := range hosts {
		if !f.CertNames.hasHost(host) && slices.Contains(f.Public, host) {
			return Finding{check, Bad, fmt.Sprintf("Das Zertifikat gilt nicht für %s. Browser warnen dort oder weigern sich.", host),
				"Lassen Sie ein Zertifikat ausstellen, das diesen Namen enthält, und geben Sie es mit --cert und --key an."}
		}
	}
	if !f.CertOwn {
		return Finding{Check: check, State: Good, What: "Das Zertifikat gilt für alle angegebenen Namen."}
	}
	for _, a := range addresses {
		if !slices.Contains(f.CertNames.Addresses, a) {
			return Finding{check, Watch, fmt.Sprintf("Das Zertifikat gilt noch nicht für die Adresse %s.", a),
				"Die Box stellt es innerhalb einer Minute selbst neu aus. Bleibt es dabei, starten Sie den Dienst neu."}
		}
	}
	return Finding{Check: check, State: Good, What: "Das Zertifikat gilt für alle Namen und Adressen der Box."}
}

func (f Facts) expiry() Finding {
	const check = "certificate_expiry"
	left := f.CertEnds.Sub(f.Now)
	until := f.CertEnds.Format("02.01.2006")
	switch {
	case left <= 0:
		return Finding{check, Bad, "Das Zertifikat ist seit " + until + " abgelaufen. Browser lassen niemanden mehr durch.",
			"Stellen Sie ein neues Zertifikat bereit. Die Box liest es von selbst ein."}
	case left < 14*24*time.Hour:
		return Finding{check, Watch, "Das Zertifikat gilt nur noch bis " + until + ".",
			"Lassen Sie es jetzt erneuern. Die Box liest das neue von selbst ein."}
	}
	return Finding{Check: check, State: Good, What: "Das Zertifikat gilt bis " + until + "."}
}

func (f Facts) trust() Finding {
	const check = "certificate_trust"
	if f.CertOwn {
		return Finding{check, Watch, "Die Box hat ihr Zertifikat selbst ausgestellt. Browser zeigen deshalb beim ersten Aufruf eine Warnung.",
			"Für den Test genügt „Weiter“. Für den Betrieb brauchen Sie ein Zertifikat einer anerkannten Stelle (--cert, --key)."}
	}
	return Finding{Check: check, State: Good, What: "Das Zertifikat wurde von Ihnen bereitgestellt."}
}

func (f Facts) clock() Finding {
	const check = "clock"
	switch {
	case !f.Built.IsZero() && f.Now.Before(f.Built):
		return Finding{check, Bad, "Die Uhr der Box geht falsch: Sie steht auf " + f.Now.Format("02.01.2006 15:04") + ".",
			"Stellen Sie die Uhr, oder erlauben Sie der Box den Zugang zu einem Zeitserver."}
	case f.Synchronised == nil:
		return Finding{Check: check, State: Good, What: "Die Uhr steht auf einer glaubhaften Zeit."}
	case !*f.Synchronised:
		return Finding{check, Watch, "Die Uhr wird von keinem Zeitserver gestellt. Wartezeiten und Codes werden mit der Zeit ungenau.",
			"Schalten Sie die Zeitsynchronisation ein (timedatectl set-ntp true)."}
	}
	return Finding{Check: check, State: Good, What: "Die Uhr wird von einem Zeitserver gestellt."}
}

func (f Facts) disk() Finding {
	const check = "disk"
	free := strings.Replace(fmt.Sprintf("%.1f GB", float64(f.DiskFree)/1e9), ".", ",", 1)
	switch {
	case f.DiskTotal == 0:
		return Finding{check, Watch, "Der freie Speicherplatz ließ sich nicht feststellen.", "Prüfen Sie den Datenträger."}
	case f.DiskFree < diskBad:
		return Finding{check, Bad, "Der Speicherplatz ist fast aufgebraucht: noch " + free + " frei. Die Box nimmt bald niemanden mehr auf.",
			"Schaffen Sie Platz: alte Sicherungen und Protokolle auslagern."}
	case f.DiskFree < f.DiskTotal/100*diskWatch:
		return Finding{check, Watch, "Der Speicherplatz wird knapp: noch " + free + " frei.",
			"Schaffen Sie in den nächsten Tagen Platz: alte Sicherungen und Protokolle auslagern."}
	}
	return Finding{Check: check, State: Good, What: "Es sind " + free + " Speicherplatz frei."}
}

func (f Facts) database() Finding {
	const check = "database"
	if f.Database != nil {
		return Finding{check, Bad, "Die Prüfung der Datenbank ist fehlgeschlagen: " + f.Database.Error() + ".",
			"Halten Sie den Dienst an, sichern Sie das Datenverzeichnis, und spielen Sie die letzte Sicherung ein."}
	}
	return Finding{Check: check, State: Good, What: "Die Datenbank ist in Ordnung."}
}

func (f Facts) media() Finding {
	const check = "media"
	switch {
	case f.MediaAway:
		return Finding{check, Bad, "Bild und Ton sind ausgefallen. Der Warteraum läuft weiter, Gespräche gehen nur mit Text.",
			"Die Box startet diesen Teil von selbst neu. Bleibt es länger als eine Minute dabei, starten Sie den Dienst neu."}
	case f.MediaDeaths > 0:
		return Finding{check, Watch, fmt.Sprintf("Bild und Ton sind in den letzten 24 Stunden %d-mal ausgefallen und von selbst wiedergekommen.", f.MediaDeaths),
			"Geschieht das öfter, brauchen die Entwickler das Protokoll (journalctl -u schalterd)."}
	case f.MediaSent >= lossOf && f.MediaLost > f.MediaSent/100*lossWatch:
		return Finding{check, Watch, fmt.Sprintf("Von Bild und Ton gehen unterwegs %d von 100 Paketen verloren. Bilder stocken, Sprache wird lückenhaft.",
			f.MediaLost*100/f.MediaSent),
			"Prüfen Sie, ob die Internetleitung des Hauses ausgelastet ist. Betrifft es nur wenige, liegt es an deren Netz."}
	}
	return Finding{Check: check, State: Good, What: "Bild und Ton laufen, in einem eigenen Prozess."}
}

func (n Names) hasHost(host string) bool {
	for _, pattern := range n.Hosts {
		if matches(pattern, host) {
			return true
		}
	}
	return false
}
