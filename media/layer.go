package media

import "strings"

// simulcast reads what is sent (RFC 8853): a list of streams, of each the first alternative. One that is paused for now
// counts.
func (r *sectionReader) simulcast(value string) {
	parts := strings.Fields(value)
	for i := 0; i+1 < len(parts); i += 2 {
		if parts[i] != "send" {
			continue
		}
		for stream := range strings.SplitSeq(parts[i+1], ";") {
			first, _, _ := strings.Cut(stream, ",")
			r.listed = append(r.listed, strings.TrimPrefix(first, "~"))
			if len(r.listed) > maxLayers {
				r.listed = nil // more than we know what to do with: then none
				return
			}
		}
	}
}

// layered keeps the simulcast list if it can be used: each stream is described, none twice, and can say its name.
func (r *sectionReader) layered() {
	seen := map[string]bool{}
	for _, name := range r.listed {
		if !r.rids[name] || seen[name] {
			return
		}
		seen[name] = true
	}
	if r.kind == "video" && len(r.listed) > 1 && r.names.section != 0 && r.names.layer != 0 {
		r.layers = r.listed
	}
}

// layerName is RFC 8851's rid-id, of a length that browsers take.
func layerName(s string) bool {
	if s == "" || len(s) > 16 {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}
