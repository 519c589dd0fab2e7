package hall

import (
	"strings"
	"testing"
)

// FuzzFragment: whatever an encoder sends, what is written of it into a description is two words and no line more.
func FuzzFragment(f *testing.F) {
	f.Add("v=0\r\nm=audio 9 x 1\r\na=mid:0\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n", "a=ice-ufrag:c\r\na=ice-pwd:d\r\n")
	f.Add("v=0\na=ice-ufrag:a\na=mid:9\n\n", "m=audio\na=ice-ufrag:c\na=ice-pwd:d\na=candidate:1")
	f.Fuzz(func(t *testing.T, sdp, fragment string) {
		_, _ = sourcesOf(sdp, Publishes) // refuses or not; it must only not fail
		answered := fragmentOf(sdp)
		if strings.Count(answered, "\nm=") > 1 {
			t.Errorf("more than one section answered: %q", answered)
		}
		c, err := readFragment(fragment)
		if err != nil {
			return
		}
		before, after := strings.Count(sdp, "\n"), strings.Count(withCredentials(sdp, c), "\n")
		if whole := sdp == "" || strings.HasSuffix(sdp, "\n"); after != before && (whole || after != before+1) {
			t.Errorf("%d lines became %d", before, after)
		}
		had, has := credentialsOf(sdp), credentialsOf(withCredentials(sdp, c))
		if had.ufrag != "" && has.ufrag != c.ufrag || had.password != "" && has.password != c.password {
			t.Errorf("credentials %+v became %+v, want %+v", had, has, c)
		}
	})
}
