package appliance

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkArrival reads what a stranger typed. The visit it gives has no state yet.
func (h *House) checkArrival(e Arrive) (*Visit, error) {
	if e.ID == "" {
		return nil, wrong("id-missing", "id")
	}
	if h.visits[e.ID] != nil {
		return nil, refuse(Conflict, "visit-exists")
	}
	name, err := checkLine(e.Name, "name", MaxName, true)
	if err != nil {
		return nil, err
	}
	matter, err := checkText(e.Matter, "matter", "matter", MaxMatter, true)
	if err != nil {
		return nil, err
	}
	var needs []Need
	for _, n := range e.Needs {
		if !slices.Contains([]Need{NeedInterpreter, NeedSignLanguage, NeedTextOnly, NeedNoPicture, NeedCompanion}, n) {
			return nil, wrong("need-unknown", "needs")
		}
		if !slices.Contains(needs, n) {
			needs = append(needs, n)
		}
	}
	if e.Notice != h.town.Notice {
		return nil, wrong("notice-outdated", "notice_version")
	}
	return &Visit{ID: e.ID, Office: e.Office, Name: name, Matter: matter, Needs: needs, Notice: e.Notice}, nil
}

// checkLine reads a text of one line. Its codes begin with the field's name.
func checkLine(s, field string, limit int, needed bool) (string, error) {
	if strings.ContainsAny(s, "\r\n") {
		s = strings.TrimSpace(s)
		if strings.ContainsAny(s, "\r\n") {
			return "", wrong(field+"-invalid", field)
		}
	}
	return checkText(s, field, field, limit, needed)
}

// checkText reads a text of several lines: trimmed, with plain line ends, counted in code points. A tab is a space: it comes
// along with what is pasted from a table. What cannot be
// shown (control characters, and the marks that turn the reading direction of what follows) is refused.
func checkText(s, field, word string, limit int, needed bool) (string, error) {
	if !utf8.ValidString(s) {
		return "", wrong(word+"-invalid", field)
	}
	s = strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\t", " ").Replace(s))
	seen := false
	for _, r := range s {
		if r != '\n' && unshowable(r) {
			return "", wrong(word+"-invalid", field)
		}
		seen = seen || unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
	}
	switch {
	case !seen && needed:
		return "", wrong(word+"-missing", field)
	case !seen:
		return "", nil
	case utf8.RuneCountInString(s) > limit:
		return "", wrong(word+"-too-long", field)
	}
	return s, nil
}

// unshowable are Cc, the line and paragraph separators, and the bidirectional embeddings, overrides and isolates
// (Unicode Standard Annex 9): with them a name could rewrite the line it is shown in.
func unshowable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		'\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}
