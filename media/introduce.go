package media

import "slices"

// Limits of streams that say by themselves who they are.
const (
	maxLearned = 32  // streams; three sections of three layers with their repetitions are 18
	maxTries   = 200 // packets a second that are looked at for it: each costs a decryption and some memory for a moment
)

// expectation is a section whose streams say by themselves who they are (simulcast).
type expectation struct {
	track     *track
	names     names
	transport uint8
}

// expect replaces the list of sections whose streams say who they are. Those of others end.
func (i *inbound) expect(list []expectation) {
	i.guarded(func() {
		i.expected = list
		i.learned = slices.DeleteFunc(i.learned, func(s *incoming) bool {
			gone := !slices.ContainsFunc(list, func(e expectation) bool { return e.track == s.track })
			if gone {
				close(s.done)
			}
			return gone
		})
	})
}

// introduce finds out whose a stream is that nobody has named: its first packets say so in their header, and only when they
// are genuine anything is kept. Body is the packet's, decrypted. Nil: a stranger.
func (i *inbound) introduce(b []byte, header int) (s *incoming, body []byte) {
	if len(i.expected) == 0 || len(i.learned) >= maxLearned {
		return nil, nil
	}
	if second := i.conn.engine.now().Unix(); second != i.second {
		i.second, i.tries = second, 0
	}
	if i.tries++; i.tries > maxTries {
		return nil, nil
	}
	open, err := i.p.opener()
	if err != nil {
		return nil, nil
	}
	body, ok := open.Open(b, header)
	if !ok {
		return nil, nil
	}
	v, ok := parseRTP(b[:header+len(body)])
	if !ok {
		return nil, nil
	}
	for _, e := range i.expected {
		if string(v.extension(e.names.section)) != e.track.mid {
			continue
		}
		s := &incoming{stream: v.stream, track: e.track, transport: e.transport, open: open, done: make(chan struct{})}
		if name := v.extension(e.names.repaired); len(name) > 0 {
			s.layer = slices.Index(e.track.layers, string(name))
			s.repairs = i.layer(e.track, s.layer)
			if s.repairs == nil {
				return nil, nil // its packets before those that it repeats: too early to be of use
			}
		} else {
			s.layer = slices.Index(e.track.layers, string(v.extension(e.names.layer)))
		}
		if s.layer < 0 {
			return nil, nil
		}
		i.learned = append(i.learned, s)
		return s, body
	}
	return nil, nil
}

// layer finds the stream of a layer of a track.
func (i *inbound) layer(t *track, layer int) *incoming {
	for _, s := range i.learned {
		if s.track == t && s.layer == layer && s.repairs == nil {
			return s
		}
	}
	return nil
}
