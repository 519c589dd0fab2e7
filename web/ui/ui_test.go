package ui

import (
	"compress/gzip"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const manifest = `{
 "src/visit.ts": {"file":"assets/visit-1.js","isEntry":true,"imports":["_shared.js"],"css":["assets/visit-1.css"]},
 "src/document.css": {"file":"assets/document-1.css","isEntry":true},
 "_shared.js": {"file":"assets/shared-1.js","imports":["_deep.js"],"css":["assets/base-1.css"]},
 "_deep.js": {"file":"assets/deep-1.js","imports":["_shared.js"]}
}`

func build() fstest.MapFS {
	m := fstest.MapFS{".vite/manifest.json": {Data: []byte(manifest)}, "index.html": {Data: []byte("<p>")}}
	for _, name := range []string{"visit-1.js", "visit-1.css", "document-1.css", "shared-1.js", "deep-1.js", "base-1.css"} {
		m["assets/"+name] = &fstest.MapFile{Data: []byte(strings.Repeat("/* "+name+" */\n", 50))}
	}
	m["assets/fira.woff2"] = &fstest.MapFile{Data: []byte(strings.Repeat("w", 500))}
	return m
}

func TestEntries(t *testing.T) {
	a, err := Read(build())
	if err != nil {
		t.Fatal(err)
	}
	visit, ok := a.Entry("src/visit.ts")
	if !ok || visit.Script != "/assets/visit-1.js" {
		t.Fatalf("entry visit: %+v, %v", visit, ok)
	}
	if want := []string{"/assets/base-1.css", "/assets/visit-1.css"}; !slices.Equal(visit.Styles, want) {
		t.Errorf("styles %v, want %v", visit.Styles, want)
	}
	if !slices.Contains(visit.Preload, "/assets/shared-1.js") || !slices.Contains(visit.Preload, "/assets/deep-1.js") {
		t.Errorf("preload %v lacks an import", visit.Preload)
	}
	document, ok := a.Entry("src/document.css")
	if !ok || document.Script != "" || !slices.Equal(document.Styles, []string{"/assets/document-1.css"}) {
		t.Errorf("entry document: %+v, %v", document, ok)
	}
	if _, ok := a.Entry("_shared.js"); ok {
		t.Error("a shared chunk passes as an entry")
	}
}

func TestServing(t *testing.T) {
	a, err := Read(build())
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w
	}
	plain := get("/assets/visit-1.js")
	if plain.Code != 200 || plain.Header().Get("Content-Type") != "text/javascript; charset=utf-8" ||
		!strings.Contains(plain.Header().Get("Cache-Control"), "immutable") || plain.Header().Get("Content-Encoding") != "" {
		t.Errorf("plain: %d %v", plain.Code, plain.Header())
	}
	packed := get("/assets/visit-1.js", "Accept-Encoding", "br, gzip;q=0.8")
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= plain.Body.Len() {
		t.Errorf("packed: %v, %d bytes of %d", packed.Header(), packed.Body.Len(), plain.Body.Len())
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); err != nil || string(b) != plain.Body.String() {
		t.Errorf("unpacked differs (%v)", err)
	}
	if w := get("/assets/visit-1.js", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("gzip although refused")
	}
	if w := get("/assets/fira.woff2", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
		t.Error("a font is compressed twice")
	}
	if w := get("/assets/visit-1.js", "If-None-Match", plain.Header().Get("ETag")); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("again: %d with %d bytes", w.Code, w.Body.Len())
	}
	for _, path := range []string{"/assets/none.js", "/index.html", "/.vite/manifest.json"} {
		if w := get(path); w.Code != 404 {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}

func TestWithoutBuild(t *testing.T) {
	a, err := Read(fstest.MapFS{".keep": {}})
	if err != nil || !a.Empty() {
		t.Fatalf("empty build: %v, empty %v", err, a.Empty())
	}
	if _, err := Load(); err != nil {
		t.Errorf("embedded build: %v", err)
	}
}

func TestBrokenBuildIsRefused(t *testing.T) {
	b := build()
	delete(b, "assets/deep-1.js")
	if _, err := Read(b); err == nil {
		t.Error("a manifest that names a missing file is taken")
	}
	b = build()
	b["assets/x.exe"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := Read(b); err == nil {
		t.Error("a file of an unknown kind is taken")
	}
}
