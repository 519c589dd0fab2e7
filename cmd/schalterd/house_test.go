package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Guide values of DESIGN 3, to be exceeded only for a reason that a reader would accept.
const (
	maxFile      = 500 // lines
	maxFunction  = 70
	maxInterface = 6 // methods
)

// longer names what may exceed a guide value, with the reason. An entry that is no longer needed fails the test.
func longer() map[string]string {
	return map[string]string{}
}

// source is one parsed file of ours.
type source struct {
	path  string // from the root, with slashes
	lines int
	file  *ast.File
	set   *token.FileSet
}

func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// sources parses every Go file of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	root := os.DirFS("../..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || name == "var" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || toolsOfBrowserTests(name) {
			return nil
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{name, bytes.Count(content, []byte("\n")), file, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGuideValues(t *testing.T) {
	t.Parallel()
	allowed := longer()
	over := func(what string, is, most int) {
		if is <= most {
			return
		}
		if _, ok := allowed[what]; ok {
			allowed[what] = ""
			return
		}
		t.Errorf("%s: %d, at most %d", what, is, most)
	}
	for _, s := range sources(t) {
		over(s.path, s.lines, maxFile)
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if !s.test() {
					over(s.path+" "+n.Name.Name, s.set.Position(n.End()).Line-s.set.Position(n.Pos()).Line+1, maxFunction)
				}
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok {
					over(s.path+" "+n.Name.Name, i.Methods.NumFields(), maxInterface)
				}
			}
			return true
		})
	}
	for what, reason := range allowed {
		if reason != "" {
			t.Errorf("%s is within the guide values again: take it off the list", what)
		}
	}
}

func TestEveryPackageIsExplainedOnce(t *testing.T) {
	t.Parallel()
	comments := map[string]int{}
	for _, s := range sources(t) {
		dir := path.Dir(s.path)
		if s.test() {
			continue
		}
		if s.file.Doc == nil {
			comments[dir] += 0
			continue
		}
		comments[dir]++
		first := s.file.Doc.Text()
		if s.file.Name.Name != "main" && !strings.HasPrefix(first, "Package "+s.file.Name.Name+" ") {
			t.Errorf("%s: the comment begins with %.40q", s.path, first)
		}
	}
	for dir, n := range comments {
		if n != 1 {
			t.Errorf("%s has %d package comments, wants one", dir, n)
		}
	}
}

func TestNothingHappensOnImport(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		for _, decl := range s.file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Name.Name == "init" && decl.Recv == nil {
					t.Errorf("%s has an init function", s.path)
				}
			case *ast.GenDecl:
				checkVariables(t, s, decl)
			}
		}
	}
}

// checkVariables refuses exported package variables. Sentinel errors are the exception that Go has no constant for.
func checkVariables(t *testing.T, s source, decl *ast.GenDecl) {
	t.Helper()
	if decl.Tok != token.VAR {
		return
	}
	for _, spec := range decl.Specs {
		for _, name := range spec.(*ast.ValueSpec).Names {
			if name.IsExported() && !strings.HasPrefix(name.Name, "Err") {
				t.Errorf("%s: exported package variable %s", s.path, name.Name)
			}
		}
	}
}

func TestNamesSayWhatThingsAre(t *testing.T) {
	t.Parallel()
	empty := []string{"util", "utils", "common", "helper", "helpers", "manager", "base", "types", "misc"}
	err := filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"node_modules", ".git", "var", "bin", "dist", "gen", "out"}, d.Name()) {
			return fs.SkipDir
		}
		stem, _, _ := strings.Cut(strings.ToLower(d.Name()), ".")
		for _, word := range empty {
			if stem == word || strings.HasSuffix(stem, "_"+word) || strings.HasSuffix(stem, "-"+word) {
				t.Errorf("%s: a name that could stand for anything", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
