package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// Assets are the built files. It is read-only after Load and safe for all.
type Assets struct {
	files   map[string]file
	entries map[string]Entry
}

// Entry is what a page must load for one of its programs. Paths begin with a slash.
type Entry struct {
	Script  string   // empty for an entry that is only a style sheet
	Styles  []string // in order
	Preload []string // modules that Script imports, to be fetched at once
}

type file struct {
	kind  string // Content-Type
	plain []byte
	gzip  []byte // nil where compression gains nothing
	tag   string
}

// Load reads the embedded build.
func Load() (*Assets, error) {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("open embedded build: %w", err)
	}
	return Read(sub)
}

// Read takes a build from anywhere; tests give small ones.
func Read(build fs.FS) (*Assets, error) {
	a := &Assets{files: make(map[string]file), entries: make(map[string]Entry)}
	err := fs.WalkDir(build, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(build, name)
		if err != nil {
			return err
		}
		f, err := prepare(name, b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		a.files["/"+name] = f
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	b, err := fs.ReadFile(build, ".vite/manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if err := a.readManifest(b); err != nil {
		return nil, err
	}
	return a, nil
}

// Empty tells that there was no build.
func (a *Assets) Empty() bool { return len(a.entries) == 0 }

// Entry finds an entry by its source file, "src/visit.ts".
func (a *Assets) Entry(source string) (Entry, bool) {
	e, ok := a.entries[source]
	return e, ok
}

// ServeHTTP answers for /assets/…; ask Has first for a page of your own where nothing is.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.gzip != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = f.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the reader went away; nothing to do
	}
}

// Has tells whether a path is one of the files.
func (a *Assets) Has(path string) bool {
	_, ok := a.files[path]
	return ok
}

// chunk is one record of Vite's manifest.
type chunk struct {
	File    string   `json:"file"`
	IsEntry bool     `json:"isEntry"`
	CSS     []string `json:"css"`
	Imports []string `json:"imports"`
}

func (a *Assets) readManifest(b []byte) error {
	var chunks map[string]chunk
	if err := json.Unmarshal(b, &chunks); err != nil {
		return fmt.Errorf("decode manifest: %w", err)
	}
	for source, c := range chunks {
		if !c.IsEntry {
			continue
		}
		var e Entry
		if path.Ext(c.File) == ".css" {
			e.Styles = []string{"/" + c.File}
		} else {
			e.Script = "/" + c.File
		}
		gather(chunks, c, &e, make(map[string]bool))
		for _, p := range slices.Concat(e.Styles, e.Preload, []string{e.Script}) {
			if p != "" && !a.Has(p) {
				return fmt.Errorf("manifest: %s needs %s, which is not in the build", source, p)
			}
		}
		a.entries[source] = e
	}
	return nil
}

// gather collects styles and imported modules, each once, the deepest import first as the cascade needs it.
func gather(chunks map[string]chunk, c chunk, e *Entry, seen map[string]bool) {
	for _, name := range c.Imports {
		if seen[name] {
			continue
		}
		seen[name] = true
		imported := chunks[name]
		gather(chunks, imported, e, seen)
		e.Preload = append(e.Preload, "/"+imported.File)
	}
	for _, style := range c.CSS {
		if !slices.Contains(e.Styles, "/"+style) {
			e.Styles = append(e.Styles, "/"+style)
		}
	}
}

func prepare(name string, b []byte) (file, error) {
	kind, compressible, ok := kindOf(path.Ext(name))
	if !ok {
		return file{}, errors.New("no content type for this extension")
	}
	sum := sha256.Sum256(b)
	f := file{kind: kind, plain: b, tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	if !compressible {
		return f, nil
	}
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := w.Write(b); err != nil {
		return file{}, err
	}
	if err := w.Close(); err != nil {
		return file{}, err
	}
	if z.Len() < len(b) {
		f.gzip = z.Bytes()
	}
	return f, nil
}

// kindOf knows the file types of our build. The machine's MIME table is not asked: it differs between machines.
func kindOf(extension string) (kind string, compressible, ok bool) {
	switch extension {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8", true, true
	case ".css":
		return "text/css; charset=utf-8", true, true
	case ".svg":
		return "image/svg+xml", true, true
	case ".json", ".map":
		return "application/json", true, true
	case ".webmanifest":
		return "application/manifest+json", true, true
	case ".wasm":
		return "application/wasm", true, true
	case ".woff2":
		return "font/woff2", false, true
	case ".png":
		return "image/png", false, true
	case ".webp":
		return "image/webp", false, true
	case ".mp3":
		return "audio/mpeg", false, true
	case ".ogg":
		return "audio/ogg", false, true
	case ".wav":
		return "audio/wav", false, true
	case ".tflite", ".binarypb", ".data":
		return "application/octet-stream", true, true
	}
	return "", false, false
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(coding) == "gzip" {
			return strings.ReplaceAll(q, " ", "") != "q=0"
		}
	}
	return false
}
