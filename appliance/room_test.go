package appliance_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"schalter/appliance"
)

func TestCheckRoom(t *testing.T) {
	t.Parallel()
	many := make([]string, appliance.MaxOrigins+1)
	for i := range many {
		many[i] = fmt.Sprintf("https://seite-%d.example", i)
	}
	for _, c := range []struct {
		name    string
		origins []string
		want    []string
		code    string
	}{
		{"saal", nil, nil, ""},
		{"Saal-1.OG_links", nil, nil, ""},
		{strings.Repeat("x", 64), nil, nil, ""},
		{"saal", []string{"https://www.Lindenau.example/", "https://www.lindenau.example", "https://tv.example:8443", "https://a.example:443"},
			[]string{"https://www.lindenau.example", "https://tv.example:8443", "https://a.example"}, ""},
		{"saal", []string{"https://[2001:db8::1]:444"}, []string{"https://[2001:db8::1]:444"}, ""},
		{"", nil, nil, "room-invalid"},
		{"..", nil, nil, "room-invalid"},
		{"-saal", nil, nil, "room-invalid"},
		{"großer saal", nil, nil, "room-invalid"},
		{"saal/whip", nil, nil, "room-invalid"},
		{strings.Repeat("x", 65), nil, nil, "room-invalid"},
		{"saal", many, nil, "too-many-origins"},
		{"saal", []string{"*"}, nil, "origin-invalid"},
		{"saal", []string{"null"}, nil, "origin-invalid"},
		{"saal", []string{"https://*.example"}, nil, "origin-invalid"},
		{"saal", []string{"http://www.lindenau.example"}, nil, "origin-invalid"},
		{"saal", []string{"https://www.lindenau.example/seite"}, nil, "origin-invalid"},
		{"saal", []string{"https://ich@www.lindenau.example"}, nil, "origin-invalid"},
		{"saal", []string{"https://"}, nil, "origin-invalid"},
		{"saal", []string{"https://" + strings.Repeat("x", 300)}, nil, "origin-invalid"},
	} {
		got, err := appliance.CheckRoom(appliance.OpenRoom{Name: appliance.RoomName(c.name), Origins: c.origins})
		var refusal *appliance.Error
		switch {
		case c.code != "":
			if !errors.As(err, &refusal) || refusal.Code != c.code || refusal.Kind != appliance.Invalid {
				t.Errorf("%q %q: %v, want %s", c.name, c.origins, err, c.code)
			}
		case err != nil:
			t.Errorf("%q %q: %v", c.name, c.origins, err)
		case string(got.Name) != c.name || !slices.Equal(got.Origins, c.want):
			t.Errorf("%q %q: %+v", c.name, c.origins, got)
		}
	}
	room := appliance.OpenRoom{Origins: []string{"https://a.example"}}
	if !room.Lets("https://a.example") || room.Lets("https://a.example:8443") || room.Lets("null") || (appliance.OpenRoom{}).Lets("") {
		t.Error("Lets lets the wrong ones")
	}
	if appliance.RoomName("Saal-A").Key() != appliance.RoomName("sAAL-a").Key() {
		t.Error("two names for one room")
	}
}
