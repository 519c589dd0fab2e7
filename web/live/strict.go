package live

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep a value may nest; the deepest of ours is two.
const maxDepth = 8

// Unmarshal decodes one JSON object into the struct that v points to, the way everything from outside is read in this
// house: valid UTF-8, one object and nothing after it, no key twice at any depth (two parsers could take different
// ones), only the struct's own names in their exact spelling (encoding/json would take "NAME" for "name"). null counts
// as not given. It returns the names that were given.
func Unmarshal(message []byte, v any) (given []string, err error) {
	if !utf8.Valid(message) {
		return nil, errors.New("not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	if given, err = keys(d, 1); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	known := names(reflect.TypeOf(v).Elem())
	for _, name := range given {
		if !slices.Contains(known, name) {
			return nil, errors.New("unknown field")
		}
	}
	if err := json.Unmarshal(message, v); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return given, nil
}

// keys walks an object whose brace was read and gives its keys without those whose value is null.
func keys(d *json.Decoder, depth int) ([]string, error) {
	seen := make(map[string]bool)
	var given []string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		name, _ := t.(string) // the decoder gives only strings here
		if seen[name] {
			return nil, errors.New("duplicate key")
		}
		seen[name] = true
		null, err := walk(d, depth)
		if err != nil {
			return nil, err
		}
		if !null {
			given = append(given, name)
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return given, nil
}

// walk passes one value and tells whether it was null.
func walk(d *json.Decoder, depth int) (null bool, err error) {
	if depth > maxDepth {
		return false, errors.New("nested too deep")
	}
	t, err := d.Token()
	if err != nil {
		return false, fmt.Errorf("read: %w", err)
	}
	switch t {
	case nil:
		return true, nil
	case json.Delim('{'):
		_, err := keys(d, depth+1)
		return false, err
	case json.Delim('['):
		for d.More() {
			if _, err := walk(d, depth+1); err != nil {
				return false, err
			}
		}
		if _, err := d.Token(); err != nil {
			return false, fmt.Errorf("read: %w", err)
		}
	}
	return false, nil
}

// names lists the JSON names of a struct's fields.
func names(t reflect.Type) []string {
	var all []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			all = append(all, name)
		}
	}
	return all
}
